package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
)

const sigterm = syscall.SIGTERM

// verdict judges by Swift's own reading what the daemons have left, and tells it.
func (s *soak) verdict(ctx context.Context) (ok bool, err error) {
	copies, err := s.scan(ctx, true)
	if err != nil {
		return false, err
	}
	wrong, err := s.c.CheckCopies(ctx, cluster.Live(copies))
	if err != nil {
		return false, err
	}
	lost, err := s.c.CheckLedger(ctx, &s.clients.ledger)
	if err != nil {
		return false, err
	}
	for _, why := range slices.Concat(wrong, cluster.CheckAlike(copies), lost) {
		s.fault("%s", why)
	}
	for _, n := range s.c.Nodes {
		if err := s.wantNoLocks(n); err != nil {
			return false, err
		}
	}
	told, err := s.readLogs()
	if err != nil {
		return false, err
	}
	s.wantTold(told)
	fmt.Printf("deeds: %s\n", totals(s.counts))
	if len(s.undone) > 0 {
		fmt.Printf("not to be done: %s\n", totals(s.undone))
	}
	fmt.Printf("clients: %s\nlogs: %s\n", s.clients.told(), totals(told))
	fmt.Printf("timeline: %s\n", s.file.Name())
	fmt.Printf("verdict: %s\n", classes(s.faults()))
	if n := len(s.faults()); n > 0 {
		fmt.Printf("%d things are wrong (seed %d)\n", n, s.o.seed)
		return false, nil
	}
	fmt.Printf("all is well: %d copies of partitions read (seed %d)\n", len(copies), s.o.seed)
	return true, nil
}

// onlyJunk tells of a partition that nobody may remove, and that has nothing else.
func onlyJunk(c cluster.Copy) bool {
	return len(c.Objects()) == 0 && slices.ContainsFunc(c.Others, func(name string) bool { return strings.HasPrefix(name, junkName) })
}

// wantNoLocks takes every lock of a node's partitions, none of which anybody may hold
// for long now.
func (s *soak) wantNoLocks(n *cluster.Node) error {
	return filepath.WalkDir(n.DevicesRoot(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), ".lock") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		for range 500 { // an object server may have it for a moment
			if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			s.fault("take the lock %s: %v", path, err)
		}
		return nil
	})
}
