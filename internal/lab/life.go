package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"understudy/bootstrap"
	"understudy/internal/fault"
	"understudy/internal/server"
	"understudy/internal/store"
	"understudy/messages"
)

// Kill ends the node's server at once, with whatever it has at work; its port refuses
// from then on. Engines are their callers'. It may be called on a node that is down.
func (n *Node) Kill() error {
	n.impostor.end()
	n.impostor = nil
	if n.outside != nil {
		p := n.outside
		n.outside = nil
		return p.kill()
	}
	if n.cancel == nil {
		return nil
	}
	n.frost.thaw()
	n.cancel(server.DrainFor(time.Nanosecond))
	err := <-n.served
	n.cancel, n.listener = nil, nil
	return err
}

// Revive starts the server of a node that is down, on the port that it had.
func (n *Node) Revive() (err error) {
	n.impostor.end()
	n.impostor = nil
	if n.cluster.spec.Process != nil {
		return n.reviveOutside()
	}
	if n.cancel != nil {
		return nil
	}
	if n.listener, _, err = listen(n.IP, n.Port); err != nil {
		return fmt.Errorf("revive node %d: %w", n.Number, err)
	}
	return n.serve()
}

func (n *Node) injector() *fault.Injector {
	if n.cluster.spec.Faults == nil {
		return nil
	}
	return n.cluster.spec.Faults(n.Number)
}

// PowerCut takes from the disks of a node that is down what its server had not made
// durable. Without an injector there is nothing that knows it.
func (n *Node) PowerCut() error {
	if n.outside != nil {
		_, err := n.outside.do(order{Do: doPowerCut})
		return err
	}
	if n.disks == nil {
		return nil
	}
	var errs []error
	for _, d := range n.Disks {
		errs = append(errs, n.disks.Crash(d))
	}
	return errors.Join(errs...)
}

// Disk is the node's disks as its server sees them.
func (n *Node) Disk() *store.Store { return n.store }

func (n *Node) reviveOutside() (err error) {
	switch {
	case n.outside != nil && n.outside.alive():
		return nil
	case n.listener != nil: // it kept the port free
		if err := n.listener.Close(); err != nil {
			return err
		}
		n.listener = nil
	}
	n.outside, err = startOutside(n, n.cluster.spec.Process)
	return err
}

// hear hands on a log line of the node's process.
func (n *Node) hear(line []byte) {
	if n.cluster.spec.Heard != nil {
		n.cluster.spec.Heard(n.Number, line)
	}
}

// Up tells whether the node's server runs, frozen or not.
func (n *Node) Up() bool { return n.cancel != nil || n.outside != nil && n.outside.alive() }

// Freeze lets the server take connections and say nothing, as a stopped process does.
func (n *Node) Freeze() {
	switch {
	case !n.Up():
	case n.outside != nil:
		n.outside.signal(syscall.SIGSTOP, true)
	default:
		n.frost.freeze()
	}
}

// Thaw lets it go on where it stopped.
func (n *Node) Thaw() {
	switch {
	case !n.Up():
	case n.outside != nil:
		n.outside.signal(syscall.SIGCONT, false)
	default:
		n.frost.thaw()
	}
}

// Frozen tells whether the node is frozen.
func (n *Node) Frozen() bool {
	if n.outside != nil {
		return n.outside.isFrozen()
	}
	return n.Up() && n.frost.frozen()
}

// Engine is an engine of a node.
type Engine interface {
	// Run runs it until it has nothing left to do or ctx ends.
	Run(ctx context.Context) (messages.Stats, error)
}

// Engine makes an engine of the node: of one pass, or one that goes on for ever.
func (n *Node) Engine(once bool) (Engine, error) {
	if n.outside != nil {
		return outsideEngine{n.outside, once}, nil
	}
	engine, err := bootstrap.New(bootstrap.Settings{Config: n.Config, Once: once, Log: n.log, Faults: n.injector()})
	if err != nil {
		return nil, fmt.Errorf("make engine of node %d: %w", n.Number, err)
	}
	return engine, nil
}

// frost is what keeps a node's connections from going on.
type frost struct {
	mu   sync.Mutex
	gone chan struct{} // closed by the thaw; nil: there is none
}

func (f *frost) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone == nil {
		f.gone = make(chan struct{})
	}
}

func (f *frost) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone != nil {
		close(f.gone)
		f.gone = nil
	}
}

func (f *frost) frozen() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone != nil
}

// wait returns when there is no frost.
func (f *frost) wait() {
	f.mu.Lock()
	gone := f.gone
	f.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// frostListener is a listener whose connections stand still in a frost. They are taken
// all the same, as the kernel does for a process that is stopped.
type frostListener struct {
	net.Listener
	frost *frost
}

func (l *frostListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &frostConn{c, l.frost}, nil
}

// frostConn is a TCP connection without its short cuts through the kernel.
type frostConn struct {
	net.Conn
	frost *frost
}

// CloseWrite ends what is sent, as a *net.TCPConn does.
func (c *frostConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *frostConn) Read(p []byte) (int, error) {
	c.frost.wait()
	n, err := c.Conn.Read(p)
	c.frost.wait()
	return n, err
}

func (c *frostConn) Write(p []byte) (int, error) {
	c.frost.wait()
	return c.Conn.Write(p)
}
