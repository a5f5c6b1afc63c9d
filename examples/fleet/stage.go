package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"understudy/bootstrap/fleet"
	"understudy/internal/certtest"
	"understudy/internal/lab"
)

// stage is where the show takes place: disks, rings, certificates and addresses of three
// nodes. Real nodes have theirs.
type stage struct {
	lab   *lab.Cluster
	nodes []place
	procs []*exec.Cmd
	stdin []io.Closer
}

// fatal stands for a test: an authority that cannot be made ends the show.
type fatal struct{}

func (fatal) Helper()        {}
func (fatal) Fatal(a ...any) { panic(fmt.Sprint(a...)) }

func newStage(ctx context.Context, dir string) (*stage, error) {
	certs := filepath.Join(dir, "certs")
	if err := errors.Join(os.Mkdir(certs, 0o700), os.Mkdir(filepath.Join(dir, "lab"), 0o755)); err != nil {
		return nil, err
	}
	certtest.New(fatal{}).Write(certs, "node", "127.0.0.1")
	c, err := lab.New(ctx, lab.Spec{
		Dir: filepath.Join(dir, "lab"), Nodes: 3, Disks: 2, Replicas: 3, PartPower: 4, Seed: 1, Options: map[string]string{"sync_method": "ssync"},
	})
	if err != nil {
		return nil, err
	}
	s := &stage{lab: c, procs: make([]*exec.Cmd, 3), stdin: make([]io.Closer, 3)}
	var seeds []string
	for range c.Nodes {
		at, err := freeAddress()
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		seeds = append(seeds, at)
	}
	for i, n := range c.Nodes {
		s.nodes = append(s.nodes, place{
			Name: fmt.Sprintf("n%d", n.Number), Conf: n.ConfPath(), Swift: n.Config.Swift.Path, Dir: certs, At: seeds[i], Seeds: seeds,
		})
	}
	return s, nil
}

// start runs a node in a process of its own, which ends with this one.
func (s *stage) start(i int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := json.Marshal(s.nodes[i])
	if err != nil {
		return err
	}
	cmd := exec.Command(self, string(text))
	cmd.Stderr = os.Stderr
	if s.stdin[i], err = cmd.StdinPipe(); err != nil {
		return err
	}
	s.procs[i] = cmd
	return cmd.Start()
}

// kill ends a node as a power failure does.
func (s *stage) kill(i int) {
	_ = s.procs[i].Process.Kill()
	_ = s.procs[i].Wait()
	s.procs[i] = nil
}

// operator is a member that only asks.
func (s *stage) operator() (*fleet.Member, error) {
	p := s.nodes[0]
	p.Name, p.At = "operator", "127.0.0.1:0"
	return join(quietSystem(), nil, p)
}

// close ends the nodes in an orderly way.
func (s *stage) close() error {
	var errs []error
	for i, cmd := range s.procs {
		if cmd != nil {
			_ = s.stdin[i].Close()
			errs = append(errs, cmd.Wait())
		}
	}
	return errors.Join(append(errs, s.lab.Close())...)
}
