// Package pace bounds how many bytes a second go to peers, from the whole node and
// from each disk. The bounds can be changed at any time.
package pace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// block is the most that is waited for at once, in bytes: what is sent goes out in
// such pieces, so that jobs which share a bound take turns.
const block = 64 << 10

// Pace is safe for concurrent use.
type Pace struct {
	mu      sync.Mutex
	node    *bound
	devices map[string]*bound
	each    int64 // of a disk
}

// bound is one limit.
type bound struct {
	limiter  *rate.Limiter
	children int // that have a share of it
}

// New makes a Pace without bounds.
func New() *Pace {
	return &Pace{node: newBound(0), devices: map[string]*bound{}}
}

func newBound(bytes int64) *bound {
	b := &bound{limiter: rate.NewLimiter(rate.Inf, block)}
	b.set(bytes)
	return b
}

func (b *bound) set(bytes int64) {
	limit := rate.Inf
	if bytes > 0 {
		limit = rate.Limit(bytes)
	}
	b.limiter.SetLimit(limit)
}

// share is what one of the children may send a second, 0 for no bound.
func (b *bound) share() int64 {
	if b.limiter.Limit() == rate.Inf {
		return 0
	}
	return max(1, int64(b.limiter.Limit())/int64(max(1, b.children)))
}

// Set changes the bounds: bytes a second of the node and of each disk, 0 for none.
func (p *Pace) Set(node, device int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node.set(node)
	p.each = device
	for _, b := range p.devices {
		b.set(device)
	}
}

func (p *Pace) device(name string) *bound {
	b := p.devices[name]
	if b == nil {
		b = newBound(p.each)
		p.devices[name] = b
	}
	return b
}

// Wait waits until n more bytes may go from a device. Its error is that of ctx, or says
// that its deadline would be over before.
func (p *Pace) Wait(ctx context.Context, device string, n int) error {
	p.mu.Lock()
	bounds := [2]*rate.Limiter{p.node.limiter, p.device(device).limiter}
	p.mu.Unlock()
	for _, l := range bounds {
		for left := n; left > 0; left -= block {
			if err := l.WaitN(ctx, min(left, block)); err != nil {
				return fmt.Errorf("wait for the bandwidth limit: %w", err)
			}
		}
	}
	return nil
}

// Child is a process of its own that sends: it can only be bounded when it begins.
type Child struct {
	Bytes int64 // that it may send a second; 0: no bound

	pace   *Pace
	device string
	begun  time.Time
}

// Begin waits until a child may begin to send from a device and gives it its share of
// the bounds. Its End must be called.
func (p *Pace) Begin(ctx context.Context, device string) (*Child, error) {
	if err := p.Wait(ctx, device, 1); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &Child{pace: p, device: device, begun: time.Now()}
	for _, b := range []*bound{p.node, p.device(device)} {
		b.children++
		if s := b.share(); s > 0 && (c.Bytes == 0 || s < c.Bytes) {
			c.Bytes = s
		}
	}
	return c, nil
}

// End tells how much the child has sent. What was more than its share, which a short
// life makes possible, those that follow have to wait for.
func (c *Child) End(sent int64) {
	p := c.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, b := range []*bound{p.node, p.device(c.device)} {
		if share := b.share(); share > 0 {
			over := sent - int64(float64(share)*now.Sub(c.begun).Seconds())
			for ; over > 0; over -= block {
				b.limiter.ReserveN(now, int(min(over, block)))
			}
		}
		b.children--
	}
}
