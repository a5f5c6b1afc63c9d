package breaker

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// call is one call that was let through.
type call struct {
	set          *Set
	node, device key
	begun        time.Time
	tries        bool        // it tries a breaker that is half-open
	stop         func() bool // of what gives that up with the call's context
}

// enter lets a call through, or tells the failure that it has to repeat.
func (s *Set) enter(ctx context.Context, lane string, to messages.Node) (*call, *failure) {
	if s.isHeld(to) {
		return nil, &failure{err: errHeld}
	}
	c := &call{set: s, stop: func() bool { return true }}
	c.node, c.device = keys(lane, to)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.begun = s.cfg.Clock.Now()
	both := []*breaker{s.known[c.node], s.known[c.device]}
	for _, b := range both {
		if b != nil && b.refuses(c.begun) {
			b.spared++
			last := b.last
			return nil, &last
		}
	}
	for _, b := range both {
		if b != nil && b.open {
			b.trying, c.tries = c, true
		}
	}
	if c.tries {
		// Should the call not come back after its end (a dead disk of our own), the
		// next one may try.
		c.stop = context.AfterFunc(ctx, c.release)
	}
	return c, nil
}

// leave ends a call, whatever has become of it.
func (c *call) leave() {
	c.stop()
	if c.tries {
		c.release()
	}
}

// release lets another call try what this one was to try.
func (c *call) release() {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	for _, k := range []key{c.node, c.device} {
		if b := c.set.known[k]; b != nil && b.trying == c {
			b.trying = nil
		}
	}
}

// answered notes that the peer has answered: node and device are all right.
func (c *call) answered() {
	s := c.set
	var closed []*breaker
	s.mu.Lock()
	for _, k := range []key{c.node, c.device} {
		if b := s.known[k]; b != nil {
			s.drop(b)
			closed = append(closed, b)
		}
	}
	s.mu.Unlock()
	for _, b := range closed {
		if b.open {
			s.cfg.Log.Warn().Stringer("peer", b.key).Str("lane", b.key.lane).Int("jobs", b.spared).Msg("peer answers again")
		}
	}
}

// silent notes a silence of the peer.
func (c *call) silent(f failure) {
	s := c.set
	now := s.cfg.Clock.Now()
	took := now.Sub(c.begun)
	var opened []opening
	s.mu.Lock()
	if f.silence == messages.Unreachable {
		opened = s.unreachable(c, f, now, took)
	} else {
		opened = s.unanswered(c, f, now, took)
	}
	s.mu.Unlock()
	for _, o := range opened {
		level := zerolog.DebugLevel
		if o.first {
			level = zerolog.WarnLevel
		}
		s.cfg.Log.WithLevel(level).Stringer("peer", o.key).Str("lane", o.key.lane).Str("why", f.why()).
			Dur("wait", o.wait).Msg("peer is silent, not asked for a while")
	}
}

// opening is a breaker that has opened, to be logged.
type opening struct {
	key   key
	wait  time.Duration
	first bool
}

// unreachable counts against the node. Its devices are not known any better.
func (s *Set) unreachable(c *call, f failure, now time.Time, took time.Duration) []opening {
	n := s.get(c.node)
	if n.late(c) {
		return nil
	}
	n.count(f)
	n.away++
	if !n.open && n.away < patience && took <= costly {
		return nil
	}
	return []opening{s.trip(n, now, took)}
}

// unanswered counts against the device. It has cost a time-out, and so does every
// other device of a node that hangs: the second one in a row stands for all.
func (s *Set) unanswered(c *call, f failure, now time.Time, took time.Duration) (opened []opening) {
	if d := s.get(c.device); !d.late(c) {
		d.count(f)
		opened = append(opened, s.trip(d, now, took))
	}
	n := s.get(c.node)
	another := n.quiet != "" && n.quiet != c.device.device
	n.quiet, n.away = c.device.device, 0
	if n.late(c) {
		return opened
	}
	n.count(f)
	if n.open || another {
		opened = append(opened, s.trip(n, now, took))
	}
	return opened
}

func (s *Set) trip(b *breaker, now time.Time, took time.Duration) opening {
	const grain = 1 << 16
	wait := b.trip(now, took, float64(s.cfg.Rand.IntN(grain))/grain)
	return opening{key: b.key, wait: wait, first: b.openings == 1}
}
