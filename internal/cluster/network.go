package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// Every node has these two ports on an address of its own. They lie below the
// ephemeral range, so that no outgoing connection ever takes one.
const (
	ServerPort = 26200
	RsyncPort  = 28730
)

// network is a /24 of the loopback network that only this process uses. It is
// held by a listener on its last address: the kernel's own lock between clusters.
type network struct {
	prefix string
	hold   net.Listener
}

func reserveNetwork() (*network, error) {
	for range 200 {
		prefix := fmt.Sprintf("127.%d.%d.", 32+rand.IntN(200), rand.IntN(256))
		l, err := net.Listen("tcp", fmt.Sprintf("%s254:%d", prefix, ServerPort))
		if err == nil {
			return &network{prefix, l}, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("reserve loopback addresses: %w", err)
		}
	}
	return nil, fmt.Errorf("reserve loopback addresses: port %d is taken on all that were tried", ServerPort)
}

func (n *network) host(number int) string { return fmt.Sprintf("%s%d", n.prefix, number) }

func (n *network) release() {
	if n != nil {
		n.hold.Close()
	}
}
