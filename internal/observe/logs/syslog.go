package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	defaultAddress = "/dev/log"
	defaultUDPHost = "localhost"
	defaultUDPPort = 514

	resolveTimeout  = 5 * time.Second
	resolveInterval = time.Minute // a host's address is looked up again after this
	writeTimeout    = 250 * time.Millisecond
	minRedial       = 50 * time.Millisecond
	maxRedial       = time.Second
)

// openSyslog picks the destination: log_udp_host if set, else the unix socket at
// log_address, else, when nothing is there or no socket, UDP to localhost:514.
//
// Swift: common/utils.py get_logger.
func openSyslog(c Config) (outlet, error) {
	host, port := c.UDPHost, c.UDPPort
	if port == 0 {
		port = defaultUDPPort
	}
	if host != "" {
		return openUDP(host, port)
	}
	address := c.Address
	if address == "" {
		address = defaultAddress
	}
	st, err := os.Stat(address)
	switch {
	case err == nil && st.Mode()&fs.ModeSocket != 0:
		return &unixOutlet{address: address}, nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return openUDP(defaultUDPHost, defaultUDPPort)
	default:
		return nil, fmt.Errorf("open log address: %w", err)
	}
}

// unixOutlet sends datagrams to a unix socket (or, where the socket is a stream,
// writes to it). It connects when a line comes, and again when the daemon behind
// the socket was replaced.
//
// Unlike Swift: which waits in the caller when the daemon does not read, and
// loses the line when there is no daemon. Lines wait here, in the queue.
type unixOutlet struct {
	address string
	conn    net.Conn
}

func (u *unixOutlet) name() string { return u.address }

func (u *unixOutlet) write(line []byte, stop <-chan struct{}) error {
	wait := time.Duration(0)
	for {
		err := u.try(line)
		if err == nil || errors.Is(err, syscall.EMSGSIZE) {
			return err
		}
		u.close()
		select {
		case <-stop:
			return err
		case <-time.After(wait):
		}
		wait = min(max(2*wait, minRedial), maxRedial)
	}
}

func (u *unixOutlet) try(line []byte) error {
	if u.conn == nil {
		conn, err := net.Dial("unixgram", u.address)
		if errors.Is(err, syscall.EPROTOTYPE) {
			conn, err = net.Dial("unix", u.address)
		}
		if err != nil {
			return err
		}
		u.conn = conn
	}
	if err := u.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := u.conn.Write(line)
	return err
}

func (u *unixOutlet) close() {
	if u.conn != nil {
		u.conn.Close()
		u.conn = nil
	}
}

// udpOutlet sends datagrams to a host. Its socket is not connected, so that a
// host without a daemon costs nothing and one that comes back is simply there.
type udpOutlet struct {
	host     string
	port     int
	to       netip.AddrPort
	resolved time.Time // zero: host is an address, never looked up again
	conn     *net.UDPConn
}

func openUDP(host string, port int) (*udpOutlet, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("open log: no such UDP port: %d", port)
	}
	u := &udpOutlet{host: host, port: port}
	if ip, err := netip.ParseAddr(host); err == nil {
		u.to = netip.AddrPortFrom(ip, uint16(port))
	} else if err := u.resolve(); err != nil {
		return nil, err
	}
	network := "udp6"
	if u.to.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, fmt.Errorf("open log socket for %s: %w", u.name(), err)
	}
	u.conn = conn
	return u, nil
}

func (u *udpOutlet) name() string { return net.JoinHostPort(u.host, strconv.Itoa(u.port)) }

// resolve takes the host's first address, of the family that the socket has.
func (u *udpOutlet) resolve() error {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	u.resolved = time.Now()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.host)
	if err != nil {
		return fmt.Errorf("resolve log host %s: %w", u.host, err)
	}
	for _, a := range addrs {
		a = a.Unmap()
		if u.conn == nil || a.Is4() == u.to.Addr().Is4() {
			u.to = netip.AddrPortFrom(a, uint16(u.port))
			return nil
		}
	}
	return fmt.Errorf("resolve log host %s: no usable address", u.host)
}

func (u *udpOutlet) write(line []byte, _ <-chan struct{}) error {
	if !u.resolved.IsZero() && time.Since(u.resolved) > resolveInterval {
		_ = u.resolve() // the address known so far may well still be good
	}
	_, err := u.conn.WriteToUDPAddrPort(line, u.to)
	return err
}

func (u *udpOutlet) close() { u.conn.Close() }
