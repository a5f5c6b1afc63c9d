package native

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"understudy/messages"
)

const (
	// offerLasts is for how long an offer counts; then it has to be heard anew.
	offerLasts = time.Hour
	// refusalLasts is for how long a peer that refuses is not asked whether it still does.
	refusalLasts = 15 * time.Second
	// shunLasts is for how long a peer whose surveys went wrong is asked the ordinary way.
	shunLasts = 10 * time.Minute
	// sayAgain is between two errors in the log about the same refusal.
	sayAgain = 10 * time.Minute
	// mostPeers bounds what is remembered.
	mostPeers = 65536
)

// peers is what is known of other nodes, by ip:port.
type peers struct {
	mu    sync.Mutex
	known map[string]*peer
	some  atomic.Int64 // peers that are ours
}

// peer is a node that takes surveys or has refused to.
type peer struct {
	heard    time.Time        // when it last offered to; zero: it is not known to
	deaf     time.Time        // until then its offers do not count: its surveys went wrong
	accepted map[int]uint64   // by policy: version of our ring with which it works with us
	refusals map[int]*refusal // by policy; everyPolicy
}

// everyPolicy is the key of a refusal that is not about one policy.
const everyPolicy = -1

// refusal is a peer that must not be worked with.
type refusal struct {
	refused
	since time.Time
	retry time.Time // when it is asked again
	said  time.Time // when the log was last told
	spurn int       // jobs that were turned away
}

func (p *peers) get(at string) *peer {
	k := p.known[at]
	if k == nil {
		if len(p.known) >= mostPeers { // far more than any ring has nodes
			p.known = map[string]*peer{}
			p.some.Store(0)
		}
		k = &peer{accepted: map[int]uint64{}, refusals: map[int]*refusal{}}
		p.known[at] = k
	}
	return k
}

func (p *peers) ours(at string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.get(at)
	if now.Before(k.deaf) {
		return
	}
	if k.heard.IsZero() {
		p.some.Add(1)
	}
	k.heard = now
}

// forget unlearns that a node takes surveys. A refusal of it stays.
func (p *peers) forget(at string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.known[at]; k != nil {
		p.unhear(k)
		clear(k.accepted)
		if len(k.refusals) == 0 && k.deaf.IsZero() {
			delete(p.known, at)
		}
	}
}

// shun unlearns that a node takes surveys, and what it offers does not count for a
// while. With drop its refusals are forgotten, too.
func (p *peers) shun(at string, now time.Time, drop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.get(at)
	p.unhear(k)
	k.deaf = now.Add(shunLasts)
	clear(k.accepted)
	if drop {
		clear(k.refusals)
	}
}

func (p *peers) unhear(k *peer) {
	if !k.heard.IsZero() {
		k.heard = time.Time{}
		p.some.Add(-1)
	}
}

func (p *peers) any() bool { return p.some.Load() > 0 }

// takes tells whether a node takes surveys and refuses none.
func (p *peers) takes(at string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.known[at]
	if k == nil || !k.offers(now) {
		return false
	}
	for _, r := range k.refusals {
		if now.Sub(r.retry) < offerLasts { // an older one was of no concern to anybody
			return false
		}
	}
	return true
}

func (k *peer) offers(now time.Time) bool { return !k.heard.IsZero() && now.Sub(k.heard) < offerLasts }

// agreed tells whether a node takes surveys and, if it has agreed to work with us on a
// policy, the version that our ring had then.
func (p *peers) agreed(at string, now time.Time, policy int) (with *uint64, ours bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.known[at]
	if k == nil || !k.offers(now) {
		return nil, false
	}
	if version, ok := k.accepted[policy]; ok {
		with = &version
	}
	return with, true
}

// accept notes that a node works with us on policies, and tells whether it had refused.
func (p *peers) accept(at string, versions map[int]uint64) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.known[at]
	if k == nil {
		return false
	}
	for policy, version := range versions {
		k.accepted[policy] = version
		again = again || k.refusals[policy] != nil || k.refusals[everyPolicy] != nil
		delete(k.refusals, policy)
		delete(k.refusals, everyPolicy)
	}
	return again
}

// refuse notes a refusal and tells whether the log should be told.
func (p *peers) refuse(at string, policy int, no refused, now time.Time) (say bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.get(at)
	r := k.refusals[policy]
	if r == nil || r.refused != no {
		r = &refusal{refused: no, since: now}
		k.refusals[policy] = r
	}
	r.retry = now.Add(refusalLasts)
	clear(k.accepted)
	if say = r.said.IsZero() || now.Sub(r.said) >= sayAgain; say {
		r.said = now
	}
	return say
}

// refuses returns the refusal that concerns a policy. due: this caller has to ask
// whether it still holds; the next ones have not.
func (p *peers) refuses(at string, policy int, now time.Time) (no *refused, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.known[at]
	if k == nil {
		return nil, false
	}
	for _, about := range []int{everyPolicy, policy} {
		r := k.refusals[about]
		if r == nil {
			continue
		}
		if now.Before(r.retry) {
			r.spurn++
			return &refused{r.about, r.why}, false
		}
		r.retry = now.Add(refusalLasts)
		return &refused{r.about, r.why}, true
	}
	return nil, false
}

// states are the refusals, as a snapshot shows them.
func (p *peers) states() (out []messages.PeerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, k := range p.known {
		for _, r := range k.refusals {
			out = append(out, messages.PeerState{
				Lane: "native", Peer: at, Breaker: "refused", Why: r.why, Since: r.since, Retry: r.retry, Untried: r.spurn,
			})
		}
	}
	slices.SortFunc(out, func(a, b messages.PeerState) int {
		if a.Peer+a.Why < b.Peer+b.Why {
			return -1
		}
		return 1
	})
	return out
}
