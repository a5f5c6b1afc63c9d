package remoteapi

import (
	"sync"
	"time"

	"understudy/internal/admission"
)

// leases is the ledger of a node's disks, for its facade and its own engine at once.
//
// After a start it grants nobody a lease of a disk that receives for half a term: those
// who hold leases of the process before renew them meanwhile, and are taken in again.
type leases struct {
	rules admission.Rules
	life  uint64 // another one, and a higher one, after each start
	born  time.Time

	mu     sync.Mutex
	ledger *admission.Ledger
}

func newLeases(rules admission.Rules, owns func(string) bool) *leases {
	now := time.Now()
	return &leases{rules: rules, life: uint64(now.UnixNano()), born: now, ledger: admission.NewLedger(rules, owns)}
}

// reserve grants a lease or says when to ask again.
func (l *leases) reserve(r admission.Request) admission.Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if wait := l.born.Add(l.rules.Term / 2).Sub(now); wait > 0 && r.Slot.Direction == admission.In {
		return admission.Answer{After: wait}
	}
	return l.ledger.Reserve(now, r)
}

// renew makes a lease of a life of the ledger last longer. One of an earlier life is
// taken in as long as it could have lasted.
func (l *leases) renew(s admission.Slot, lease admission.Lease, life uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.ledger.Holds(now, s, lease) && (life >= l.life || now.Sub(l.born) >= l.rules.Term) {
		return false
	}
	return l.ledger.Renew(now, s, lease)
}

// release gives back a lease, or a place among those that wait, if there is one.
func (l *leases) release(s admission.Slot, lease admission.Lease) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.ledger.Holds(now, s, lease) && !l.ledger.Expects(now, s, lease) {
		return false
	}
	l.ledger.Release(now, s, lease)
	return true
}

func (l *leases) look(s admission.Slot) admission.Load {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ledger.Look(time.Now(), s)
}
