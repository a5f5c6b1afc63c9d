package bootstrap

import (
	"context"
	"net"
	"strconv"

	"golang.org/x/time/rate"

	"understudy/internal/transport/breaker"
	"understudy/internal/transport/pace"
	"understudy/messages"
)

// bounds are the limits of a course that are kept outside of the actors. They outlive a
// reload.
type bounds struct {
	pace   *pace.Pace
	hashes *rate.Limiter
}

func newBounds() *bounds {
	return &bounds{pace: pace.New(), hashes: rate.NewLimiter(rate.Inf, 1)}
}

// keepTo makes them those of a course. It does not block.
func (b *bounds) keepTo(c *messages.Course, peers *breaker.Set) {
	b.pace.Set(c.Limits.Bytes, c.Limits.DeviceBytes)
	limit := rate.Inf
	if c.Limits.Hashes > 0 {
		limit = rate.Limit(c.Limits.Hashes)
	}
	b.hashes.SetLimit(limit)
	if len(c.Peers) == 0 {
		peers.Hold(nil)
		return
	}
	peers.Hold(func(n messages.Node) bool {
		for _, name := range peerNames(n) {
			if _, paused := c.Peers[name]; paused {
				return true
			}
		}
		return false
	})
}

// peerNames are those by which an operator may call a node.
func peerNames(n messages.Node) []string {
	address := net.JoinHostPort(n.ReplicationIP, strconv.Itoa(n.ReplicationPort))
	return []string{n.ReplicationIP, address, address + "/" + n.Device}
}

// turn waits until the next suffix may be hashed.
func (b *bounds) turn(ctx context.Context) error {
	return b.hashes.Wait(ctx)
}

// begin waits until a child may send.
func (b *bounds) begin(ctx context.Context, device string) (int64, func(int64), error) {
	child, err := b.pace.Begin(ctx, device)
	if err != nil {
		return 0, nil, err
	}
	return child.Bytes, child.End, nil
}
