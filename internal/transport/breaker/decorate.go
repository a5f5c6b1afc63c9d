package breaker

import (
	"context"

	"understudy/messages"
)

// Peers asks other nodes' object servers.
type Peers interface {
	Hashes(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error)
}

// Transport moves suffixes to a peer.
type Transport interface {
	Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error)
}

// Peers puts the breakers of the lane Replicate before questions. A question to a
// silent peer returns the last failure again, as a *messages.PeerError that is
// Untried.
func (s *Set) Peers(inner Peers) Peers { return asking{s, inner} }

// Transport puts the breakers of a lane before pushes: Sync if they go to another
// server than questions, Replicate if they go to the same. A push to a silent peer
// ends as the last one did: without OK, or with an error that is Untried.
func (s *Set) Transport(inner Transport, lane string) Transport { return pushing{s, inner, lane} }

type asking struct {
	set   *Set
	inner Peers
}

// Hashes implements Peers.
func (a asking) Hashes(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error) {
	c, refused := a.set.enter(ctx, Replicate, node)
	if refused != nil {
		return nil, refused.again(node)
	}
	defer c.leave()
	hashes, err := a.inner.Hashes(ctx, node, policy, part)
	v, quiet := ofError(err)
	c.judge(v, failure{silence: quiet, err: err})
	return hashes, err
}

type pushing struct {
	set   *Set
	inner Transport
	lane  string
}

// Sync implements Transport.
func (p pushing) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	c, refused := p.set.enter(ctx, p.lane, job.Node)
	if refused != nil {
		result := messages.SyncResult{Silence: refused.silence}
		if refused.push && refused.err != nil {
			return result, refused.again(job.Node)
		}
		p.set.cfg.Log.Debug().Str("device", job.Partition.Device).Int("policy", job.Partition.Policy).
			Uint32("partition", job.Partition.Number).Stringer("peer", job.Node).Str("why", refused.why()).
			Msg("peer was silent, not pushed to")
		return result, nil
	}
	defer c.leave()
	result, err := p.inner.Sync(ctx, job)
	v, quiet := ofError(err)
	if !result.OK && result.Silence != messages.Answered {
		v, quiet = silence, result.Silence
	}
	c.judge(v, failure{silence: quiet, push: true, err: err})
	return result, err
}

// judge notes what a call has told.
func (c *call) judge(v verdict, f failure) {
	switch v {
	case answer:
		c.answered()
	case silence:
		c.silent(f)
	}
}
