package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

const (
	partPower = 3
	// settle is the handoff_settle of the second node with rsync, in seconds: rsync does
	// not fsync, and the power of who receives is cut. It stands for the time in which the
	// kernel writes all by itself, so the disk is synced in it.
	settle  = 2
	perCase = 3 * time.Minute
)

// rig is two nodes of ours: the first, which is struck, with a disk that can lose its
// power. With one replica each object has one place, so that what one side has given up
// the other must have; with two both have all.
type rig struct {
	c        *cluster.Cluster
	dir      string
	replicas int
	method   string
	cuts     bool // only those of the power of who receives
	rnd      *rand.Rand
	disk     *sick.Block
	program  cluster.Program
	history  cluster.History
	serial   int
	clock    float64
}

// programs are our commands, built for crash points.
type programs struct{ replicator, server string }

// build builds them, with a bug of the zoo if one is named.
func build(ctx context.Context, dir, bug string) (programs, error) {
	tags := "failpoints"
	if bug != "" {
		tags += ",bugzoo"
	}
	p := programs{filepath.Join(dir, "swift-object-replicator"), filepath.Join(dir, "understudy")}
	for _, path := range []string{p.replicator, p.server} {
		cmd := exec.CommandContext(ctx, "go", "build", "-tags", tags, "-o", path, "understudy/cmd/"+filepath.Base(path))
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s: %w: %s", path, err, out)
		}
	}
	return p, nil
}

func newRig(ctx context.Context, dir string, p programs, at aim, seed uint64) (r *rig, err error) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	r = &rig{rnd: rnd, replicas: 1 + rnd.IntN(2), method: cmp.Or(at.method, []string{"ssync", "rsync"}[seed%2]), cuts: at.cuts, program: cluster.Program{Name: "ours", Path: p.replicator}}
	if r.cuts {
		r.replicas = 1 // what the second node gives up, only the first has
	}
	if r.dir, err = os.MkdirTemp(dir, "rig-"); err != nil {
		return nil, fmt.Errorf("make a rig: %w", err)
	}
	if err := os.Chmod(r.dir, 0o777); err != nil {
		return nil, fmt.Errorf("make a rig: %w", err)
	}
	r.c, err = cluster.New(ctx, cluster.Spec{
		Base: r.dir, Nodes: 3, Devices: 1, Mounted: 1, Policies: []cluster.Policy{{Name: "gold", PartPower: partPower}},
		Replicator: map[string]string{
			"sync_method": r.method, "conn_timeout": "1", "http_timeout": "5", "node_timeout": "5", "rsync_timeout": "20",
		},
	})
	if err != nil {
		return nil, err
	}
	if err := r.layOut(ctx, p); err != nil {
		return nil, errors.Join(err, r.close(ctx))
	}
	return r, nil
}

func (r *rig) layOut(ctx context.Context, p programs) (err error) {
	ring := cluster.RingOf{PartPower: partPower, Replicas: r.replicas}
	for _, n := range r.nodes() {
		ring.Devices = append(ring.Devices, cluster.Device{IP: n.IP, Name: "d1"})
	}
	if err := r.c.WriteRing(ctx, r.c.RingPath(0), ring); err != nil {
		return err
	}
	if r.disk, err = sick.NewBlock(ctx, r.dir, r.first().DevicePath("d1")); err != nil {
		return err
	}
	if _, err := r.c.ServeWith(ctx, cluster.Server{Name: "ours", Path: p.server, Verb: "serve"}); err != nil {
		return err
	}
	r.clock = float64(time.Now().Unix() - 7200)
	if r.method == "rsync" {
		if err := r.second().WriteConf(map[string]string{"handoff_settle": strconv.Itoa(settle)}); err != nil {
			return err
		}
	}
	return r.c.Start(ctx, r.nodes()...)
}

// nodes are the two of them. The cluster has one more, for the sake of its first rings.
func (r *rig) nodes() []*cluster.Node { return r.c.Nodes[:2] }

func (r *rig) first() *cluster.Node  { return r.c.Nodes[0] }
func (r *rig) second() *cluster.Node { return r.c.Nodes[1] }

func (r *rig) close(ctx context.Context) error {
	r.c.Stop()
	var err error
	if r.disk != nil {
		err = r.disk.Close(ctx)
	}
	return errors.Join(err, r.c.Close())
}

// lay puts objects where they do not belong, or not to all who should have them, and
// makes them durable: clients were told so.
func (r *rig) lay(ctx context.Context, n int) error {
	r.serial++
	var ops []cluster.Op
	for i := range n {
		op := cluster.Op{
			Kind: cluster.Put, Name: fmt.Sprintf("/AUTH_crash/c/o%d-%d", r.serial, i), At: r.tick(),
			Size: r.rnd.IntN(20_000), Body: r.rnd.IntN(1 << 30), Copies: []int{r.rnd.IntN(2)},
			Headers: map[string]string{"Content-Type": "text/plain", "X-Object-Meta-Color": "blue"},
		}
		if r.replicas == 1 {
			op.Copies = []int{1} // the handoff
		}
		ops = append(ops, op)
		switch r.rnd.IntN(6) {
		case 0:
			ops = append(ops, cluster.Op{Kind: cluster.Post, Name: op.Name, At: r.tick(), Copies: op.Copies, Headers: map[string]string{"X-Object-Meta-Color": "red"}})
		case 1:
			ops = append(ops, cluster.Op{Kind: cluster.Delete, Name: op.Name, At: r.tick(), Copies: op.Copies})
		case 2:
			ops = append(ops, cluster.Op{Kind: cluster.Delete, Name: op.Name, At: r.tick(), Copies: []int{1 - op.Copies[0]}})
		}
	}
	if _, err := r.c.Write(ctx, &r.history, ops); err != nil {
		return err
	}
	return r.disk.Sync()
}

func (r *rig) tick() string {
	r.clock += 0.01
	return cluster.Timestamp(r.clock, 0)
}

// follow makes the programs that are started from now on follow a plan; "" is none.
func (r *rig) follow(plan string) error {
	path := filepath.Join(r.dir, "plan")
	if plan == "" {
		return errors.Join(os.Unsetenv("UNDERSTUDY_POINTS"), os.Unsetenv("UNDERSTUDY_SEEN"))
	}
	if err := os.WriteFile(path, []byte(plan), 0o644); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return errors.Join(os.Setenv("UNDERSTUDY_POINTS", path), os.Setenv("UNDERSTUDY_SEEN", r.seenPath()))
}

func (r *rig) seenPath() string { return filepath.Join(r.dir, "seen") }

// act lets the first node do something under a plan. It tells whether the program of
// the first node has ended before its time.
func (r *rig) act(ctx context.Context, in scenario, plan string) (struck bool, err error) {
	if err := r.follow(plan); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.follow("")) }()
	if in == passes {
		run, err := r.first().Once(ctx, r.program)
		if err != nil {
			return false, err
		}
		return run.Code != 0, nil
	}
	if err := r.first().RestartServer(ctx); err != nil {
		return false, err
	}
	if err := r.follow(""); err != nil {
		return false, err
	}
	if _, err := r.second().Once(ctx, r.program); err != nil {
		return false, err
	}
	return r.first().SignalServer(0) != nil, nil
}

// recover brings the first node back after a strike: its server dies with the power.
func (r *rig) recover(ctx context.Context, s strike) error {
	if s.power >= 0 {
		r.disk.Cut(s.seed, s.power)
		_ = r.first().SignalServer(syscall.SIGKILL) // it may be gone
		_ = r.first().SignalRsyncd(syscall.SIGKILL)
		if err := r.disk.Power(ctx); err != nil {
			return err
		}
	}
	if s.verb == takerDies || s.power >= 0 {
		if err := r.first().RestartRsyncd(ctx); err != nil {
			return err
		}
	}
	return r.first().RestartServer(ctx)
}
