package sick

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Proxy stands before a peer and passes everything on, until it is told to cut.
type Proxy struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	after    int64 // bytes towards the target
	left     int   // connections to cut
	cut      int   // connections that were cut
}

// NewProxy listens on an address for a target.
func NewProxy(addr, target string) (*Proxy, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", target, err)
	}
	p := &Proxy{listener: l, target: target}
	go accept(l, p.forward)
	return p, nil
}

// Cut breaks the next connections that have sent more than so many bytes to the
// target: both sides are reset there.
func (p *Proxy) Cut(connections int, after int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.after, p.cut = connections, after, 0
}

// WasCut is how many connections have been cut since Cut.
func (p *Proxy) WasCut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// Close takes no more connections. Those that are there go on.
func (p *Proxy) Close() error { return p.listener.Close() }

// accept gives each connection to a function of its own and closes it behind it.
func accept(l net.Listener, handle func(*net.TCPConn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			handle(conn.(*net.TCPConn))
		}()
	}
}

func (p *Proxy) forward(near *net.TCPConn) {
	conn, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	far := conn.(*net.TCPConn)
	defer far.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(near, far)
		_ = near.CloseWrite()
	}()
	if errors.Is(p.send(far, near), errCut) {
		_ = near.SetLinger(0)
		_ = far.SetLinger(0)
		_ = near.Close()
		_ = far.Close()
	} else {
		_ = far.CloseWrite()
	}
	<-back
}

var errCut = errors.New("the connection is cut")

// send passes on what goes to the target, up to where it is to be cut.
func (p *Proxy) send(to io.Writer, from io.Reader) error {
	buf := make([]byte, 32<<10)
	var sent int64
	for {
		n, err := from.Read(buf)
		if limit, cut := p.cuts(sent + int64(n)); cut {
			_, _ = to.Write(buf[:max(0, limit-sent)])
			return errCut
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
		sent += int64(n)
		if err != nil {
			return err
		}
	}
}

// cuts tells whether a connection that has come so far is cut, and where.
func (p *Proxy) cuts(sent int64) (after int64, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || sent <= p.after {
		return 0, false
	}
	p.left--
	p.cut++
	return p.after, true
}

// Mute is a peer that takes connections, reads and never answers.
type Mute struct {
	listener net.Listener
	mu       sync.Mutex
	taken    int
}

// NewMute listens on an address.
func NewMute(addr string) (*Mute, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen and say nothing: %w", err)
	}
	m := &Mute{listener: l}
	go accept(l, func(conn *net.TCPConn) {
		m.mu.Lock()
		m.taken++
		m.mu.Unlock()
		_, _ = io.Copy(io.Discard, conn)
	})
	return m, nil
}

// Taken counts the connections so far.
func (m *Mute) Taken() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

// Close takes no more connections.
func (m *Mute) Close() error { return m.listener.Close() }
