package lab

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"understudy/internal/scenario"
)

// impostor listens where a node's server was, and answers as no object server does.
type impostor struct {
	role     string
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	work     sync.WaitGroup
}

// Impose puts an impostor in the place of a node's server, which ends. Revive ends it.
func (n *Node) Impose(role string) error {
	if err := n.Kill(); err != nil {
		return err
	}
	var l net.Listener
	var err error
	for range 100 { // the port of a process that was killed may need a moment
		if l, err = n.listenInstead(); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("put an impostor in the place of node %d: %w", n.Number, err)
	}
	n.impostor = &impostor{role: role, listener: l, conns: map[net.Conn]bool{}}
	n.impostor.work.Go(n.impostor.serve)
	return nil
}

// listenInstead listens where the node's server did, in the node's own network.
func (n *Node) listenInstead() (l net.Listener, err error) {
	listen := func() (err error) {
		l, _, err = listen(n.IP, n.Port)
		return err
	}
	if n.cluster.spec.Links != nil {
		return l, n.cluster.spec.Links.At(n.Number, listen)
	}
	return l, listen()
}

func (i *impostor) serve() {
	for {
		c, err := i.listener.Accept()
		if err != nil {
			return // it was closed
		}
		i.mu.Lock()
		i.conns[c] = true
		i.mu.Unlock()
		i.work.Go(func() {
			i.answer(c)
			i.mu.Lock()
			defer i.mu.Unlock()
			delete(i.conns, c)
			_ = c.Close()
		})
	}
}

// end closes everything and waits for it. It may be called on nil.
func (i *impostor) end() {
	if i == nil {
		return
	}
	_ = i.listener.Close()
	i.mu.Lock()
	for c := range i.conns {
		_ = c.Close()
	}
	i.mu.Unlock()
	i.work.Wait()
}

const (
	impostorPatience = 30 * time.Second // for what a connection says
	dripPause        = 50 * time.Millisecond
)

// answer plays the role on one connection. Errors end it, as everything does.
func (i *impostor) answer(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(impostorPatience))
	if i.role == scenario.HangsUp {
		return
	}
	head := make([]byte, 4096)
	if _, err := c.Read(head); err != nil {
		return
	}
	switch i.role {
	case scenario.Noise:
		noise := make([]byte, 64<<10)
		_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // never fails
		_, _ = c.Write(noise)
	case scenario.Yes:
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	case scenario.Pickle:
		const half = "\x80\x02}q\x01(U\x03abcq\x02U abcdefabcdefabcdefabcdefabcdef"
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(half), half)
	case scenario.Drips:
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
		for {
			if _, err := c.Write([]byte{'x'}); err != nil {
				return
			}
			time.Sleep(dripPause)
		}
	case scenario.Resets:
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	}
}
