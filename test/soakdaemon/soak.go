package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

const (
	nodes     = 4
	disks     = 4 // a node
	mounted   = 2 // nodes whose disks are disks of their own
	partPower = 6
	steady    = 2 // the node whose daemon is never stopped
)

// soak is one run.
type soak struct {
	o   options
	dir string // of the timeline, the samples and the cluster
	*timeline
	rnd   *rand.Rand // of the troubles; the clients have their own
	c     *cluster.Cluster
	ours  cluster.Program
	xfs   map[cluster.Device]*sick.XFS
	fuse  *sick.Fuse
	where cluster.Device // the FUSE disk

	daemons []*daemon           // by node
	stock   *cluster.Replicator // of the last node; nil: it has ours
	ghosts  []ghost
	ring    ring
	clients *clients
	samples *samples

	ills   []*ill
	now    atomic.Value   // what troubles there are, in words, for who watches
	counts map[string]int // deeds by kind
	undone map[string]int // deeds that could not be done
}

func newSoak(ctx context.Context, o options) (*soak, error) {
	dir, err := os.MkdirTemp(o.dir, fmt.Sprintf("understudy-soak-%d-", o.seed))
	if err != nil {
		return nil, fmt.Errorf("make the folder of the soak: %w", err)
	}
	s := &soak{
		o: o, dir: dir, rnd: rand.New(rand.NewPCG(o.seed, 1)), xfs: map[cluster.Device]*sick.XFS{},
		counts: map[string]int{}, undone: map[string]int{},
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the folder of the soak: %w", err)
	}
	if s.timeline, err = newTimeline(dir); err != nil {
		return nil, err
	}
	if s.samples, err = newSamples(dir); err != nil {
		return nil, err
	}
	fmt.Printf("seed %d, %g minutes; timeline: %s\n", o.seed, o.minutes, s.file.Name())
	if err := s.layOut(ctx); err != nil {
		return nil, errors.Join(err, s.close(false))
	}
	return s, nil
}

// layOut makes the cluster with its disks and starts everything.
func (s *soak) layOut(ctx context.Context) (err error) {
	inside := filepath.Join(s.dir, "inside")
	if err := errors.Join(os.Mkdir(inside, 0o777), os.Chmod(inside, 0o777), os.Setenv("UNDERSTUDY_SOAK_DIR", inside)); err != nil {
		return fmt.Errorf("make a folder for what daemons tell: %w", err)
	}
	s.samples.inside = inside
	if s.ours, err = cluster.Ours(ctx, s.dir, s.o.race, "soak"); err != nil {
		return err
	}
	s.c, err = cluster.New(ctx, cluster.Spec{
		Base: s.dir, Nodes: nodes, Devices: disks, Mounted: mounted,
		Policies: []cluster.Policy{{Index: 0, Name: "gold", PartPower: partPower}},
	})
	if err != nil {
		return err
	}
	if err := s.makeDisks(ctx); err != nil {
		return err
	}
	s.clients = newClients(s)
	s.ring = newRing(s.c)
	if err := s.turn(ctx); err != nil {
		return err
	}
	if err := s.c.Start(ctx); err != nil {
		return err
	}
	for _, n := range s.c.Nodes {
		if s.stocked(n) {
			if err := s.startStock(); err != nil {
				return err
			}
			continue
		}
		d := &daemon{node: n, options: s.drawOptions(), mutable: s.o.apart}
		if err := s.start(d); err != nil {
			return err
		}
		s.daemons = append(s.daemons, d)
	}
	return nil
}

// live lets clients write and troubles come for as long as was asked for.
func (s *soak) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	defer beside.Wait() // the clients have ended when live has
	defer cancel()
	beside.Go(func() { s.clients.write(ctx) })
	beside.Go(func() { s.watch(ctx) })
	for end := time.Now().Add(time.Duration(s.o.minutes * float64(time.Minute))); time.Now().Before(end); {
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// watch takes samples, and tells once a minute how things are.
func (s *soak) watch(ctx context.Context) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	minute := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, d := range s.daemons {
			s.samples.take(d.node.Number, d.pid())
		}
		if time.Since(minute) >= time.Minute {
			minute = time.Now()
			is := s.samples.last(steady)
			fmt.Printf("%s clients: %s; daemon %d: %d threads, %d goroutines, %d fds, %d MiB; %d wrong; now: %v\n", minute.UTC().Format("15:04:05"),
				s.clients.told(), steady, is.Threads, is.Goroutines, is.Fds, is.RSS>>10, len(s.faults()), s.now.Load())
		}
	}
}

// close ends everything. The timeline and the samples stay; the cluster's folder goes
// only if it is not needed any more.
func (s *soak) close(remove bool) error {
	var errs []error
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	errs = append(errs, s.cureAll(ctx))
	if s.c != nil {
		s.c.Stop()
	}
	errs = append(errs, s.closeDisks(ctx, remove))
	if s.c != nil && remove {
		errs = append(errs, s.c.Close(), os.RemoveAll(filepath.Join(s.dir, "swift-object-replicator")))
	} else if s.c != nil {
		s.c.CloseAndKeep()
		fmt.Printf("kept %s\n", s.c.Root)
	}
	return errors.Join(append(errs, s.file.Close(), s.samples.file.Close())...)
}
