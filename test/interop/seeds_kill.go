package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"understudy/internal/cluster"
)

// kill kills a replicator, and nobody else, when it has run for some time.
func (r *run) kill(p *cluster.Forked, after time.Duration) (killed bool) {
	select {
	case <-p.Done():
		return false
	case <-time.After(after):
	}
	_ = syscall.Kill(p.Pid, syscall.SIGKILL) // it is not reaped before Done, or just now
	<-p.Done()
	return p.Status == -int(syscall.SIGKILL)
}

// orphanTime is how long a child of a killed replicator may live on.
const orphanTime = time.Second

// aftermath makes sure that a killed replicator has left nobody and no lock behind.
func (r *run) aftermath(ctx context.Context, n *cluster.Node) error {
	deadline := time.Now().Add(orphanTime)
	for {
		alive, err := r.children(n)
		if err != nil {
			return err
		}
		if len(alive) == 0 {
			break
		}
		if time.Now().After(deadline) {
			r.trouble("node %d: %v after kill -9 there still runs %q", n.Number, orphanTime, alive)
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return r.locks(n, deadline.Add(10*orphanTime))
}

// children are the rsync processes of the node's replicator: those that name the
// node's devices and are no daemons.
func (r *run) children(n *cluster.Node) (alive []string, err error) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		words := strings.Join(strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00"), " ")
		if strings.HasPrefix(words, "rsync ") && strings.Contains(words, n.DevicesRoot()+"/") && !strings.Contains(words, "--daemon") {
			alive = append(alive, words)
		}
	}
	return alive, nil
}

// locks makes sure that every lock of the node's devices can be had. The object
// server may hold one for a moment, while a peer's request is at work.
func (r *run) locks(n *cluster.Node, deadline time.Time) error {
	return filepath.WalkDir(n.DevicesRoot(), func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.IsDir() || !strings.HasPrefix(e.Name(), ".lock"):
			return nil
		}
		free, err := lockFree(path, deadline)
		if err == nil && !free {
			r.trouble("node %d: the lock %s is stuck", n.Number, path)
		}
		return err
	})
}

func lockFree(path string, deadline time.Time) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return false, fmt.Errorf("lock %s: %w", path, err)
		case time.Now().After(deadline):
			return false, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}
