package native

import (
	"context"
	"errors"

	"understudy/internal/native"
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

// Peers stands before questions. A peer of ours is first asked whether the nodes may
// work together; one that refuses fails every question, as a *messages.PeerError that
// is Untried, until it agrees. Peers that are not ours are not touched.
//
// Unlike Swift: which pushes to nodes whatever they make of it.
func (l *Lane) Peers(inner Peers) Peers { return asking{l, inner} }

// Transport stands before pushes in the same way.
func (l *Lane) Transport(inner Transport) Transport { return pushing{l, inner} }

type asking struct {
	lane  *Lane
	inner Peers
}

// Hashes implements Peers. The first answer of a peer is what tells that it is ours:
// it is kept back until the nodes have agreed to work together.
func (a asking) Hashes(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error) {
	if err := a.lane.refusal(ctx, node, policy); err != nil {
		return nil, err
	}
	hashes, err := a.inner.Hashes(ctx, node, policy, part)
	if err != nil {
		return nil, err
	}
	if err := a.lane.agree(ctx, node, policy); err != nil {
		return nil, err
	}
	return hashes, nil
}

type pushing struct {
	lane  *Lane
	inner Transport
}

// Sync implements Transport.
func (p pushing) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	if err := p.lane.refusal(ctx, job.Node, job.Partition.Policy); err != nil {
		return messages.SyncResult{}, err
	}
	if err := p.lane.agree(ctx, job.Node, job.Partition.Policy); err != nil {
		return messages.SyncResult{}, err
	}
	return p.inner.Sync(ctx, job)
}

// refusal is the error of a job with a peer that refuses, or nil. Now and then one of
// the jobs asks the peer again.
func (l *Lane) refusal(ctx context.Context, n messages.Node, policy int) error {
	no, due := l.peers.refuses(address(n), policy, l.cfg.Now())
	if no == nil {
		return nil
	}
	if due {
		_, _ = l.exchange(ctx, n, l.handshake(policy)) // it keeps account of what it learns
		if no, _ = l.peers.refuses(address(n), policy, l.cfg.Now()); no == nil {
			return nil // the peer agrees, or is no longer one of ours
		}
	}
	return turnedAway(n, no)
}

// agree asks a peer that is ours whether the nodes may work together, unless it has
// agreed already. What it does not answer is no refusal.
func (l *Lane) agree(ctx context.Context, n messages.Node, policy int) error {
	with, ours := l.peers.agreed(address(n), l.cfg.Now(), policy)
	if !ours || with != nil && *with == l.cfg.Ring(policy) {
		return nil
	}
	_, err := l.exchange(ctx, n, l.handshake(policy))
	var no *refused
	if errors.As(err, &no) {
		return turnedAway(n, no)
	}
	return nil
}

func turnedAway(n messages.Node, no *refused) error {
	return &messages.PeerError{Node: n, Why: no.Error(), Untried: true, Err: no}
}

// accepted notes that a peer has answered a survey.
func (l *Lane) accepted(n messages.Node, q *native.Request) {
	versions := map[int]uint64{}
	for _, r := range q.Rings {
		versions[int(r.Policy)] = r.Version
	}
	l.peers.ours(address(n), l.cfg.Now())
	if l.peers.accept(address(n), versions) {
		l.cfg.Log.Warn().Str("peer", address(n)).Msg("peer works with this node again")
	}
}

// refused notes that a peer has refused one.
func (l *Lane) refused(n messages.Node, q *native.Request, no *refused) {
	policy := everyPolicy
	if no.about == native.OtherRing && len(q.Rings) == 1 {
		policy = int(q.Rings[0].Policy)
	}
	if l.peers.refuse(address(n), policy, *no, l.cfg.Now()) {
		l.cfg.Log.Error().Str("peer", address(n)).Str("about", no.about).
			Msg("peer refuses to work with this node, its partitions fail until it agrees: " + no.why)
	}
}

// Refusals are the peers that refuse, for a snapshot.
func (l *Lane) Refusals() []messages.PeerState { return l.peers.states() }
