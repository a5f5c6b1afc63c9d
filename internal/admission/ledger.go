package admission

import (
	"slices"
	"time"
)

// Ledger is the leases of one node's disks. It is not safe for concurrent use. A node
// that restarts begins with an empty one: those who hold leases of the old one are
// taken in again when they renew, as far as there is room.
type Ledger struct {
	rules Rules
	owns  func(device string) bool
	desks map[Slot]*desk
}

// NewLedger makes an empty ledger. owns tells which disks are this node's; no account
// is kept of others.
func NewLedger(rules Rules, owns func(device string) bool) *Ledger {
	return &Ledger{rules: rules.filled(), owns: owns, desks: map[Slot]*desk{}}
}

// Reserve grants a lease or says when to ask again. A repeated request for a lease that
// is held is granted again. A request about a disk that is not this node's is granted
// without account: the asker's ring is another one, which is no reason to hold it up.
func (l *Ledger) Reserve(now time.Time, r Request) Answer {
	if !l.keeps(r.Slot) {
		return Answer{Granted: true}
	}
	return l.desk(r.Slot).reserve(now, r)
}

// Renew makes a lease last for another term. False: it is lost, and there is nothing to
// give back.
func (l *Ledger) Renew(now time.Time, s Slot, lease Lease) bool {
	return l.keeps(s) && l.desk(s).renew(now, lease)
}

// Release gives a lease back, or a place among those that wait. A request for the same
// lease that comes after it, late, is not granted.
func (l *Ledger) Release(now time.Time, s Slot, lease Lease) {
	if l.keeps(s) {
		l.desk(s).release(now, lease)
	}
}

// Holds tells whether a lease is held.
func (l *Ledger) Holds(now time.Time, s Slot, lease Lease) bool {
	d := l.desks[s]
	if d == nil {
		return false
	}
	d.sweep(now)
	return slices.ContainsFunc(d.held, func(t tenure) bool { return t.lease == lease })
}

// Expects tells whether a lease has a place among those that wait.
func (l *Ledger) Expects(now time.Time, s Slot, lease Lease) bool {
	d := l.desks[s]
	if d == nil {
		return false
	}
	d.sweep(now)
	return slices.ContainsFunc(d.waiting, func(w waiter) bool { return w.lease == lease })
}

// Load is what there is at a slot.
type Load struct {
	Held    int
	Waiting int
}

// Look tells the load of a slot.
func (l *Ledger) Look(now time.Time, s Slot) Load {
	d := l.desks[s]
	if d == nil {
		return Load{}
	}
	d.sweep(now)
	return Load{len(d.held), len(d.waiting)}
}

func (l *Ledger) keeps(s Slot) bool { return s.Direction <= Out && l.owns(s.Device) }

func (l *Ledger) desk(s Slot) *desk {
	d := l.desks[s]
	if d == nil {
		d = &desk{rules: &l.rules, most: l.rules.most(s.Direction), mean: l.rules.Least}
		l.desks[s] = d
	}
	return d
}
