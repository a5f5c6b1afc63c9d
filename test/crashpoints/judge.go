package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
)

// rounds is how many passes of both nodes may be needed: one to move everything, one
// for what a pass does not see that began before the other node had spoken, and with rsync
// two for a handoff that has to settle after a push that has to be repeated.
const rounds = 4

// verdict is what is wrong after a strike; nothing when all is well.
func (r *rig) verdict(ctx context.Context) (wrong []string, passed int, err error) {
	// Before anybody mends anything: what the clients were told is somewhere, whole.
	copies, err := r.c.Scan(ctx, false)
	if err != nil {
		return nil, 0, err
	}
	for _, lost := range cluster.Lost(copies, &r.history) {
		wrong = append(wrong, "lost by the strike: "+lost)
	}
	var unsettled []string
	for passed < rounds {
		passed++
		if err := r.rest(ctx, passed > 1); err != nil {
			return nil, passed, err
		}
		for _, n := range r.nodes() {
			run, err := n.Once(ctx, r.program)
			if err != nil {
				return nil, passed, err
			}
			if run.Code != 0 {
				wrong = append(wrong, fmt.Sprintf("the pass of node %d after it ends with %d: %.500s", n.Number, run.Code, run.Output))
			}
		}
		if unsettled, err = r.unsettled(ctx); err != nil {
			return nil, passed, err
		}
		if len(unsettled) == 0 {
			break
		}
	}
	locked, err := r.locked()
	return append(append(wrong, unsettled...), locked...), passed, err
}

// rest is the time between passes: the kernel writes all, and Swift's auditor reads what is
// there, as it does on any node, for an rsync looks at no file that has its name. It comes
// later than the first pass: who takes an empty file for a copy must show it.
func (r *rig) rest(ctx context.Context, audit bool) error {
	if r.method != "rsync" {
		return nil
	}
	if err := r.disk.Sync(); err != nil {
		return err
	}
	if audit {
		if err := r.first().Audit(ctx, 0); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle * time.Second):
		return nil
	}
}

// unsettled is what is not yet as it must end, by Swift's own reading.
func (r *rig) unsettled(ctx context.Context) ([]string, error) {
	copies, err := r.c.Scan(ctx, true)
	if err != nil {
		return nil, err
	}
	wrong, err := r.c.CheckCopies(ctx, cluster.Live(copies))
	if err != nil {
		return nil, err
	}
	objects, err := r.c.CheckObjects(ctx, &r.history)
	return append(wrong, objects...), err
}

// locked are the locks that somebody still holds.
func (r *rig) locked() (held []string, err error) {
	for _, n := range r.nodes() {
		err = errors.Join(err, filepath.WalkDir(n.DevicesRoot(), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), ".lock") {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
				held = append(held, "locked: "+path)
			} else if err != nil {
				return err
			}
			return nil
		}))
	}
	return held, err
}
