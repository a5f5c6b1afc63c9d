package admission

import (
	"cmp"
	"time"
)

// Rules are a ledger's settings. Zero values stand for those of DefaultRules.
type Rules struct {
	In  int // leases of one disk that receives
	Out int // leases of one disk that sends

	Term  time.Duration // how long a lease lasts that is not renewed
	Ahead time.Duration // a degraded push counts as if it had asked so much sooner
	Slack time.Duration // one that waits comes before another that asks only if it has asked so much sooner
	Least time.Duration // shortest time after which to ask again
	Most  time.Duration // longest one
	Grace time.Duration // how long after that time one that waits keeps its place

	Waiting int // how many may wait for one disk and direction; others are sent away for Most
}

// DefaultRules are those of the table in docs/admission.md with two leases.
func DefaultRules() Rules {
	return Rules{
		In: 2, Out: 2, Term: time.Minute, Ahead: 5 * time.Minute, Slack: 30 * time.Second,
		Least: 5 * time.Second, Most: 2 * time.Minute, Grace: 5 * time.Second, Waiting: 64,
	}
}

func (r Rules) filled() Rules {
	d := DefaultRules()
	return Rules{
		In: cmp.Or(r.In, d.In), Out: cmp.Or(r.Out, d.Out), Term: cmp.Or(r.Term, d.Term),
		Ahead: cmp.Or(r.Ahead, d.Ahead), Slack: cmp.Or(r.Slack, d.Slack), Least: cmp.Or(r.Least, d.Least),
		Most: cmp.Or(r.Most, d.Most), Grace: cmp.Or(r.Grace, d.Grace), Waiting: cmp.Or(r.Waiting, d.Waiting),
	}
}

// most is how many leases a slot has.
func (r Rules) most(d Direction) int {
	if d == Out {
		return r.Out
	}
	return r.In
}
