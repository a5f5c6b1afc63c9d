package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Run is a replicator at work on the node.
type Run struct {
	Begun time.Time // just before its start
	Peak  Peak      // while it runs, and after it

	node  *Node
	cmd   *exec.Cmd
	done  chan struct{}
	err   error // of its end; read after done
	ended time.Time
}

// Start starts a replicator with more arguments after the configuration file's. What
// earlier runs left in the recon cache is removed first. Options go over the Spec's.
func (n *Node) Start(program string, options map[string]string, args ...string) (*Run, error) {
	if err := n.configure(options); err != nil {
		return nil, err
	}
	old, err := filepath.Glob(n.path("cache/*"))
	if err != nil {
		return nil, err
	}
	for _, path := range old {
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("clear the recon cache: %w", err)
		}
	}
	output, err := os.Create(n.path("output"))
	if err != nil {
		return nil, fmt.Errorf("start a replicator: %w", err)
	}
	defer output.Close()
	// Its own /etc/swift, in a mount namespace of its own; both words before it exec, so
	// that the pid is the program's.
	argv := append([]string{
		"-m", "--propagation", "private", "sh", "-c",
		`mount --bind "$0" /etc/swift && exec "$@"`, n.path("etc"), program, n.confPath(),
	}, args...)
	r := &Run{node: n, cmd: exec.Command("unshare", argv...), done: make(chan struct{})}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stdout, r.cmd.Stderr = output, output
	r.Begun = time.Now()
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a replicator: %w", err)
	}
	go r.Peak.follow(r.PID(), r.done)
	go func() {
		r.err = r.cmd.Wait()
		r.ended = time.Now()
		close(r.done)
	}()
	return r, nil
}

// PID is the replicator's own.
func (r *Run) PID() int { return r.cmd.Process.Pid }

// Await polls a condition until it holds. The end of the program, and that of ctx,
// are errors.
func (r *Run) Await(ctx context.Context, what string, holds func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := holds(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %s", what, ctx.Err(), r.last())
		case <-r.done:
			if ok, err := holds(); err != nil || ok {
				return err
			}
			return fmt.Errorf("wait for %s: the replicator has ended (%v): %s", what, r.err, r.last())
		case <-tick.C:
		}
	}
}

// Wait waits for the end of a program that ends by itself, which must be a good one.
func (r *Run) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return errors.Join(ctx.Err(), r.Kill())
	case <-r.done:
	}
	if r.err != nil {
		return fmt.Errorf("the replicator ended badly (%w): %s", r.err, r.last())
	}
	return nil
}

// Kill ends the program and its children and waits for it.
func (r *Run) Kill() error {
	if err := syscall.Kill(-r.PID(), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill a replicator: %w", err)
	}
	<-r.done
	return nil
}

// Wall, User and System are the times of a program that has ended.
func (r *Run) Wall() time.Duration   { return r.ended.Sub(r.Begun) }
func (r *Run) User() time.Duration   { return r.cmd.ProcessState.UserTime() }
func (r *Run) System() time.Duration { return r.cmd.ProcessState.SystemTime() }

func (r *Run) last() string {
	out, err := os.ReadFile(r.node.path("output"))
	if err != nil {
		return err.Error()
	}
	return string(out[max(0, len(out)-2000):]) + "\n" + strings.Join(r.node.Log.Tail(20), "\n")
}

// Recon reads one key of the recon cache into a value; false if it is not there yet.
func (n *Node) Recon(key string, into any) (bool, error) {
	f, err := os.Open(n.path("cache/object.recon"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read recon: %w", err)
	}
	defer f.Close()
	all := map[string]json.RawMessage{}
	if err := json.NewDecoder(f).Decode(&all); err != nil {
		return false, nil // Swift writes it in place: another look will tell
	}
	raw, ok := all[key]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("read recon: %s: %w", key, err)
	}
	return true, nil
}
