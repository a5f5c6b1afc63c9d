package breaker

import (
	"container/list"
	"time"

	"understudy/internal/plan"
)

const (
	leastWait   = time.Second
	mostWait    = time.Minute      // as far as doubling goes
	longestWait = 10 * time.Minute // after attempts that took long
	share       = 10               // a peer that stays silent may cost a slot one part in so many

	patience = 3           // times that a node may refuse a connection: it may be starting
	costly   = time.Second // an attempt that took longer is not made twice
)

// breaker is what is known of one peer that was silent.
//
//	closed ──silence──▶ open ──its wait is over──▶ half-open, one call tries
//	   ▲                  ▲                            │ │
//	   └──────answer──────┼────────────────────────────┘ │
//	                      └──silence, a longer wait──────┘
//
// One that closes is forgotten.
type breaker struct {
	key      key
	open     bool
	since    time.Time // when it opened first
	retry    time.Time // when it is tried
	trying   *call     // the one that tries it, or nil
	silences int       // in a row; of those at one opening the first counts
	openings int       // in a row
	away     int       // a node's: how often in a row it could not be reached
	quiet    string    // a node's: the device that did not answer last
	spared   int       // calls that were refused
	last     failure
	age      *list.Element
}

// refuses tells whether a call has to be turned away.
func (b *breaker) refuses(now time.Time) bool {
	return b.open && (b.trying != nil || now.Before(b.retry))
}

// late tells whether a silence is old news: its call was under way when the breaker
// opened.
func (b *breaker) late(c *call) bool { return b.open && b.trying != c }

// count notes a silence.
func (b *breaker) count(f failure) {
	b.silences++
	b.last = f
}

// trip opens the breaker, or opens it again. took is what the silence has cost,
// jitter in [0, 1). A peer that was slow once is asked again soon.
func (b *breaker) trip(now time.Time, took time.Duration, jitter float64) (wait time.Duration) {
	if !b.open {
		b.open, b.since = true, now
	}
	b.openings++
	b.trying = nil
	wait = min(max(plan.Backoff(b.openings, leastWait, mostWait, jitter), time.Duration(min(b.openings, share))*took), longestWait)
	b.retry = now.Add(wait)
	return wait
}
