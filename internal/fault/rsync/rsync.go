// Package rsync makes the rsync processes of pushes fail as a fault plan says.
package rsync

import (
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
	"understudy/internal/fault/failpoint"
	"understudy/internal/transport/rsync"
)

// stalled is rsync's exit code for a time-out of its data.
const stalled = 30

// Spawner puts the faults of Rsync, and before them the points of Process that are about
// rsyncs, before a way to start processes. Without an injector
// it is that way itself.
func Spawner(faults *fault.Injector, under rsync.Spawner) rsync.Spawner {
	if faults == nil {
		return under
	}
	return &spawner{faults, under}
}

type spawner struct {
	faults *fault.Injector
	under  rsync.Spawner
}

// Start implements rsync.Spawner.
func (s *spawner) Start(argv []string, out io.Writer) rsync.Child {
	done := failpoint.Reach(s.faults, &fault.Event{Place: fault.Process, Node: s.faults.Node(), Op: fault.RsyncOp, Path: purpose(argv)})
	return &pointed{s.faulty(argv, out), done}
}

// pointed is a child whose end is a point as well.
type pointed struct {
	rsync.Child
	done func()
}

// Exit implements rsync.Child.
func (p *pointed) Exit() (int, error) {
	defer p.done()
	return p.Child.Exit()
}

// purpose is what an rsync is for, one of fault.RsyncPaths.
func purpose(argv []string) string {
	switch {
	case slices.Contains(argv, "--dry-run"):
		return "proof"
	case slices.Contains(argv, "--list-only"):
		return "list"
	}
	return "push"
}

// faulty starts one with the faults of Rsync.
func (s *spawner) faulty(argv []string, out io.Writer) rsync.Child {
	e := fault.Event{Place: fault.Rsync, Node: s.faults.Node()}
	host, module := destination(argv[len(argv)-1])
	e.Module = module
	e.Peer = s.faults.NameOf(host, "")
	if named := s.faults.NameOf(module, ""); named != module {
		e.Peer = named // one rsync daemon serves several nodes, a module each
	}
	h, hit := s.faults.At(&e)
	if !hit {
		return s.under.Start(argv, out)
	}
	c := &child{done: make(chan struct{}), killed: make(chan struct{})}
	switch h.Verb {
	case "exit":
		c.end(int(h.Int()), nil)
	case "hang":
		go func() {
			s.faults.Hold(h, c.killed, nil)
			c.end(stalled, nil)
		}()
	case "killed":
		w := &watched{out: out, kill: c.Kill}
		go c.live(func() rsync.Child { return s.under.Start(argv, w) }, w)
	case "partial":
		w := &half{out: out}
		go c.live(func() rsync.Child { return s.under.Start(argv, w) }, nil)
	default:
		go func() {
			s.faults.Delay(h, c.killed)
			select {
			case <-c.killed:
				c.end(0, nil)
				return
			default:
			}
			c.live(func() rsync.Child { return s.under.Start(argv, out) }, nil)
		}()
	}
	return c
}

// destination cuts "host::module/path" or "rsync://host:port/module/path".
func destination(arg string) (host, module string) {
	if rest, ok := strings.CutPrefix(arg, "rsync://"); ok {
		host, rest, _ = strings.Cut(rest, "/")
		module, _, _ = strings.Cut(rest, "/")
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
	} else if name, rest, ok := strings.Cut(arg, "::"); ok {
		host = name
		module, _, _ = strings.Cut(rest, "/")
	}
	return strings.Trim(host, "[]"), module
}

// child is one that the plan has something to do with.
type child struct {
	done   chan struct{}
	killed chan struct{}
	once   sync.Once
	code   int
	err    error
}

func (c *child) Done() <-chan struct{} { return c.done }

func (c *child) Exit() (int, error) { return c.code, c.err }

func (c *child) Kill() { c.once.Do(func() { close(c.killed) }) }

func (c *child) end(code int, err error) {
	select {
	case <-c.killed: // and nothing else has ended it
		code = -int(unix.SIGKILL)
	default:
	}
	c.code, c.err = code, err
	close(c.done)
}

// live is the life of a real process behind this one. One that is watched is killed at
// its end at the latest, whatever it has done.
func (c *child) live(start func() rsync.Child, w *watched) {
	real := start()
	select {
	case <-real.Done():
	case <-c.killed:
		real.Kill()
		<-real.Done()
	}
	code, err := real.Exit()
	if w != nil {
		c.Kill()
	}
	c.end(code, err)
}

// watched kills a process when it says something.
type watched struct {
	out  io.Writer
	kill func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.kill()
	return w.out.Write(p)
}

// half lets every second half of what is written be lost.
type half struct{ out io.Writer }

func (h *half) Write(p []byte) (int, error) {
	if _, err := h.out.Write(p[:len(p)/2]); err != nil {
		return 0, err
	}
	return len(p), nil
}
