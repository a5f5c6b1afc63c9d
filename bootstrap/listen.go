package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"understudy/config"
	"understudy/internal/swift/ring"
)

// bindPause is between two attempts to get an address that is in use.
const bindPause = 100 * time.Millisecond

// listen opens bind_ip and bind_port, waiting for bind_timeout while somebody else
// has them: a server that ends may need a moment.
// Swift: common/wsgi.py get_socket.
func listen(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	if err := notToSelf(cfg); err != nil {
		return nil, err
	}
	network, address := family(cfg.BindIP), net.JoinHostPort(cfg.BindIP, strconv.Itoa(cfg.BindPort))
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: cfg.Server.KeepIdle, Interval: -1, Count: -1}}
	limit := time.NewTimer(cfg.Server.BindTimeout)
	defer limit.Stop()
	for {
		l, err := lc.Listen(ctx, network, address)
		switch {
		case err == nil:
			return l, backlog(l, cfg.Server.Backlog)
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("listen on bind_ip and bind_port: %w", err)
		}
		select {
		case <-time.After(bindPause):
		case <-limit.C:
			//lint:ignore ST1005 Swift's words
			return nil, fmt.Errorf("Could not bind to %s:%d after trying for %d seconds", cfg.BindIP, cfg.BindPort, int(cfg.Server.BindTimeout.Seconds()))
		case <-ctx.Done():
			return nil, fmt.Errorf("listen on bind_ip and bind_port: %w", ctx.Err())
		}
	}
}

// family keeps 0.0.0.0 to IPv4, as Python does; :: is both.
func family(ip string) string {
	if a, err := netip.ParseAddr(ip); err == nil && a.Is4() {
		return "tcp4"
	}
	return "tcp"
}

// backlog sets how many connections may wait, which Go takes from the kernel.
func backlog(l net.Listener, n int) error {
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return fmt.Errorf("set backlog: %w", err)
	}
	if ctlErr := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), n) }); ctlErr != nil {
		err = ctlErr
	}
	if err != nil {
		return fmt.Errorf("set backlog: %w", err)
	}
	return nil
}

// notToSelf refuses to pass requests on to this very server, which would pass them
// on for ever. The configuration has seen to the plain cases.
func notToSelf(cfg *config.Config) error {
	to, err := netip.ParseAddrPort(cfg.Server.PassTo)
	if err != nil || int(to.Port()) != cfg.BindPort {
		return nil
	}
	own, err := ring.MyIPs(cfg.BindIP)
	if err != nil {
		return fmt.Errorf("find the addresses of this node: %w", err)
	}
	if slices.Contains(own, to.Addr().Unmap().String()) {
		return fmt.Errorf("pass_to: %s is where this server listens itself", to)
	}
	return nil
}
