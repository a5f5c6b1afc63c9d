package control

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
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
	cred, err := peer(c)
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

// zombie tells whether a process has ended, or is over but for threads that the
// kernel does not give back.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	// pid (name) state: the name may hold anything
	_, rest, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	return len(rest) > 0 && (rest[0] == 'Z' || rest[0] == 'X')
}
