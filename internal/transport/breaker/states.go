package breaker

import (
	"cmp"
	"slices"

	"understudy/messages"
)

// States are the peers that are not asked now, by lane and name.
func (s *Set) States() []messages.PeerState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var states []messages.PeerState
	for _, b := range s.known {
		if b.open {
			states = append(states, b.state())
		}
	}
	slices.SortFunc(states, func(a, b messages.PeerState) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Peer, b.Peer))
	})
	return states
}

func (b *breaker) state() messages.PeerState {
	name := "open"
	if b.trying != nil {
		name = "half-open"
	}
	return messages.PeerState{
		Lane: b.key.lane, Peer: b.key.String(), Breaker: name, Failures: b.silences, Why: b.last.why(),
		Since: b.since, Retry: b.retry, Untried: b.spared,
	}
}
