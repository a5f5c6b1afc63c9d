// Package network makes connections and peers fail as a fault plan says.
package network

import (
	"context"
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
)

// Dial connects to an address, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer puts the faults of Net before a way to connect. Without an injector it is that
// way itself.
func Dialer(faults *fault.Injector, under Dial) Dial {
	if faults == nil {
		return under
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, faults, under, network, address)
	}
}

func dial(ctx context.Context, faults *fault.Injector, under Dial, network, address string) (net.Conn, error) {
	e := fault.Event{Place: fault.Net, Node: faults.Node(), Op: "dial"}
	e.Peer, e.Port = place(faults, address)
	h, hit := faults.At(&e)
	if hit {
		switch h.Verb {
		case "refuse":
			return nil, refused(network, address)
		case "cut":
			faults.Hold(h, ctx.Done(), nil)
		case "delay":
			faults.Delay(h, ctx.Done())
		}
		if err := ctx.Err(); err != nil {
			return nil, gaveUp(network, address, err)
		}
	}
	c, err := under(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return newConn(c, faults, e, "read", "write", h, hit), nil
}

func refused(network, address string) error {
	return &net.OpError{Op: "dial", Net: network, Addr: at(address), Err: os.NewSyscallError("connect", unix.ECONNREFUSED)}
}

// gaveUp is what a net.Dialer answers when a context ends.
func gaveUp(network, address string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = os.ErrDeadlineExceeded
	}
	return &net.OpError{Op: "dial", Net: network, Addr: at(address), Err: err}
}

// at is an address that is only printed.
type at string

func (at) Network() string  { return "tcp" }
func (a at) String() string { return string(a) }

// place is what plans call an address.
func place(faults *fault.Injector, address string) (name, port string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address, ""
	}
	return faults.NameOf(host, port), port
}
