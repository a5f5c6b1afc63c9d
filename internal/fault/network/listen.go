package network

import (
	"net"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
)

// Listener puts the faults of Net before the connections that come in. Its operations
// are accept, receive and send, so that one plan can be meant for both ends. Without an
// injector it is l itself.
func Listener(faults *fault.Injector, l net.Listener) net.Listener {
	if faults == nil {
		return l
	}
	return &listener{l, faults}
}

type listener struct {
	net.Listener
	faults *fault.Injector
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		e := fault.Event{Place: fault.Net, Peer: l.faults.Node(), Op: "accept"}
		e.Node, _ = place(l.faults, c.RemoteAddr().String())
		_, e.Port = place(l.faults, c.LocalAddr().String())
		h, hit := l.faults.At(&e)
		if hit && h.Verb == "refuse" {
			_ = reset(c)
			continue
		}
		return newConn(c, l.faults, e, "receive", "send", h, hit), nil
	}
}

// reset ends a connection so that the other side sees a reset.
func reset(c net.Conn) error {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // on a socket that is closed already
	}
	_ = c.Close()
	return unix.ECONNRESET
}
