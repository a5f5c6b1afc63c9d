package control

import (
	"context"
	"net"

	"golang.org/x/sys/unix"

	"understudy/internal/unixsock"
)

type callerKey struct{}

// withCaller keeps who has connected, for the log of commands.
func withCaller(ctx context.Context, c net.Conn) context.Context {
	if limited, ok := c.(*limitedConn); ok {
		c = limited.Conn
	}
	if _, ok := c.(*net.UnixConn); !ok {
		return ctx
	}
	cred, err := unixsock.Peer(c)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, cred)
}

// caller is who has connected, or nil.
func caller(ctx context.Context) *unix.Ucred {
	cred, _ := ctx.Value(callerKey{}).(*unix.Ucred)
	return cred
}
