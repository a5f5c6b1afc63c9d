package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Replicator is a replicator that was started and is not waited for.
type Replicator struct {
	node *Node
	proc *process
	from int // log lines of the node before it
}

var replicators atomic.Int64

// StartReplicator starts a replicator with more arguments after the configuration
// file's. It ends with the cluster, or before.
func (n *Node) StartReplicator(p Program, args ...string) (*Replicator, error) {
	before, err := n.Log.Lines("object-replicator")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("replicator-%d-%d", n.Number, replicators.Add(1))
	proc, err := n.cluster.start(name, append([]string{p.Path, n.ConfPath()}, args...)...)
	if err != nil {
		return nil, err
	}
	return &Replicator{node: n, proc: proc, from: len(before)}, nil
}

// PID is the replicator's own.
func (r *Replicator) PID() int { return r.proc.pid }

// Done is closed when the replicator has ended.
func (r *Replicator) Done() <-chan struct{} { return r.proc.done }

// Kill kills the replicator as `kill -9` does: it alone, not its children.
func (r *Replicator) Kill() error {
	select {
	case <-r.proc.done:
		return nil
	default:
	}
	if err := syscall.Kill(r.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the replicator of node %d: %w", r.node.Number, err)
	}
	<-r.proc.done
	r.forget()
	return nil
}

// Signal sends a signal to the replicator alone.
func (r *Replicator) Signal(s syscall.Signal) error {
	select {
	case <-r.proc.done:
		return r.proc.ended()
	default:
	}
	if err := syscall.Kill(r.PID(), s); err != nil {
		return fmt.Errorf("signal the replicator of node %d: %w", r.node.Number, err)
	}
	return nil
}

// Output is the file of what the replicator writes to its standard output and error.
func (r *Replicator) Output() string { return r.proc.output }

// Stop ends the replicator by SIGTERM, which must be a good end.
func (r *Replicator) Stop() error {
	r.proc.stop()
	r.forget()
	if r.proc.err != nil {
		return r.proc.ended()
	}
	return nil
}

// Wait waits for the replicator's end, which must be a good one.
func (r *Replicator) Wait(ctx context.Context) error {
	select {
	case <-r.proc.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for the replicator of node %d: %w", r.node.Number, ctx.Err())
	}
	r.forget()
	if r.proc.err != nil {
		return r.proc.ended()
	}
	return nil
}

func (r *Replicator) forget() { r.node.cluster.forget(r.proc) }

// forget takes an ended process off the list of those to stop: its number may be
// another's by then.
func (c *Cluster) forget(ended *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = slices.DeleteFunc(c.live, func(p *process) bool { return p == ended })
}

// Logged are the lines of this node's replicators since this one was started.
func (r *Replicator) Logged() ([]string, error) {
	lines, err := r.node.Log.Lines("object-replicator")
	if err != nil {
		return nil, err
	}
	return lines[r.from:], nil
}

// AwaitLine waits until a line with the text has been logged since the start.
func (r *Replicator) AwaitLine(ctx context.Context, text string) error {
	for {
		lines, err := r.Logged()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %q of node %d: %w", text, r.node.Number, ctx.Err())
		case <-r.proc.done:
			if lines, err = r.Logged(); err != nil || slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) }) {
				return err
			}
			return fmt.Errorf("wait for %q of node %d: %w", text, r.node.Number, r.proc.ended())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
