// Package links gives each node of a cluster a network of its own: a namespace with one
// interface on a bridge, which lies in a namespace that nobody else is in. The network of
// the host is not touched, and all of it is gone with the process and its children. Links
// between nodes can be cut, silently and one way at a time, whatever program uses them.
//
// It needs the right to make network namespaces (root, or a user namespace), and the
// program ip of iproute2.
package links

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Port is that of every node's object server: nobody else is in its namespace.
const Port = 6200

// ErrNone says that there can be no networks here, and what is missing.
var ErrNone = errors.New("no network namespaces")

// All is every address that a node may have.
const All = prefix + "0/24"

const (
	prefix = "10.77.0."
	hubIP  = prefix + "254"
	// nobody is a link address that no interface has: what is sent to it is lost on the
	// bridge, as in a broken cable.
	nobody = "02:00:00:00:00:01"
)

// IP is the address of a node, from 1.
func IP(node int) string { return fmt.Sprintf("%s%d", prefix, node) }

// NodeAt is the node with an address, 0 when it is none's.
func NodeAt(ip string) int {
	last, ok := strings.CutPrefix(ip, prefix)
	four := net.ParseIP(ip).To4()
	if !ok || four == nil || last == "254" {
		return 0
	}
	return int(four[3])
}

// Net is the networks of a cluster.
type Net struct {
	hub   space
	nodes []space

	mu  sync.Mutex
	cut map[[2]int]bool
}

// New makes the networks of so many nodes, 253 at most. Its error is ErrNone when this
// machine or this user cannot have them.
func New(ctx context.Context, nodes int) (*Net, error) {
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, fmt.Errorf("%w: the program ip (iproute2) is not installed", ErrNone)
	}
	n := &Net{cut: map[[2]int]bool{}}
	if err := n.build(ctx, nodes); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Net) build(ctx context.Context, nodes int) (err error) {
	if n.hub, err = newSpace(); errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w: the kernel refuses them (%w): they need root, or \"unshare --user --map-root-user\" before the command", ErrNone, err)
	} else if err != nil {
		return err
	}
	hub := []string{
		"link set lo up", "link add cluster type bridge", "addr add " + hubIP + "/24 dev cluster", "link set cluster up",
	}
	for i := 1; i <= nodes; i++ {
		s, err := newSpace()
		if err != nil {
			return err
		}
		n.nodes = append(n.nodes, s)
		hub = append(hub,
			fmt.Sprintf("link add node%d type veth peer name eth0 netns %s", i, s.path()),
			fmt.Sprintf("link set node%d master cluster", i), fmt.Sprintf("link set node%d up", i))
	}
	if err := n.hub.ip(ctx, hub...); err != nil {
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	for i, s := range n.nodes {
		if err := s.ip(ctx, "link set lo up", "addr add "+IP(i+1)+"/24 dev eth0", "link set eth0 up"); err != nil {
			return fmt.Errorf("%w: %w", ErrNone, err)
		}
	}
	return nil
}

// ip gives orders to the program of that name in the namespace.
func (s space) ip(ctx context.Context, orders ...string) error {
	return s.do(func() error {
		cmd := exec.CommandContext(ctx, "ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(orders, "\n") + "\n")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("make a network: ip: %w: %s", err, strings.Join(strings.Fields(out.String()), " "))
		}
		return nil
	})
}

// At does something in the network of a node: sockets that it makes and processes that
// it starts are there, as far as it does so in its own goroutine.
func (n *Net) At(node int, do func() error) error { return n.nodes[node-1].do(do) }

// Dial connects to a node from a place that no cut concerns.
func (n *Net) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.hub.do(func() (err error) {
		c, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Within is a command that another one is run by in the network of a node.
func (n *Net) Within(node int) []string {
	return []string{"nsenter", "--net=" + n.nodes[node-1].path()}
}

// Close gives all of it up. It goes with the last process that is in it.
func (n *Net) Close() error {
	var errs []error
	for _, s := range append([]space{n.hub}, n.nodes...) {
		if s.file != nil {
			errs = append(errs, s.file.Close())
		}
	}
	n.nodes, n.hub = nil, space{}
	return errors.Join(errs...)
}
