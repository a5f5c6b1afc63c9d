package cluster

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
)

var forks atomic.Int64 // numbers the files of what was forked

// forkFile is a new name for what a forked program reads or writes.
func (c *Cluster) forkFile(name string) string {
	return c.path(fmt.Sprintf("run/%s-%d", name, forks.Add(1)))
}

// fork is execute by way of the cluster's Forker.
func (c *Cluster) fork(name string, argv []string) (*process, error) {
	out := c.path("run/" + name + ".out")
	f, err := c.spec.Forker.Start(c.Etc(), "", out, argv...)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	p := &process{name: name, pid: f.Pid, output: out, done: done}
	go func() {
		<-f.Done()
		if f.Status != 0 {
			p.err = fmt.Errorf("exit status %d", f.Status)
		}
		close(done)
	}()
	return p, nil
}

// forkOnce runs a program to its end.
func (c *Cluster) forkOnce(ctx context.Context, argv []string) (*Forked, string, error) {
	out := c.forkFile("once")
	f, err := c.spec.Forker.Start(c.Etc(), "", out, argv...)
	if err != nil {
		return nil, "", err
	}
	if err := f.Wait(ctx); err != nil {
		return nil, "", err
	}
	text, err := os.ReadFile(out)
	return f, string(text), err
}

// forkScript is runScript by way of the Forker.
func (c *Cluster) forkScript(ctx context.Context, script, name string, in []byte) ([]byte, error) {
	base := c.forkFile(name)
	if err := os.WriteFile(base+".in", in, 0o600); err != nil {
		return nil, fmt.Errorf("run %s %s: %w", script, name, err)
	}
	f, err := c.spec.Forker.Split(c.Etc(), base+".in", base+".out", c.path("run/"+script), name)
	if err == nil {
		err = f.Wait(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s %s: %w", script, name, err)
	}
	if f.Status != 0 {
		return nil, fmt.Errorf("run %s %s: exit status %d: %s", script, name, f.Status, printed(base+".out"))
	}
	return os.ReadFile(base + ".out")
}
