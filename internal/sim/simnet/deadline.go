package simnet

import (
	"sync"
	"time"

	"understudy/internal/sim/sched"
)

// deadline is a time after which waiting ends. It comes by a step of the scheduler.
type deadline struct {
	sched *sched.Sched
	name  string

	mu   sync.Mutex
	sets int // how often it was set: a step that was on its way is of no use then
	stop func() bool
	past chan struct{} // closed when the time has come
	over bool
}

func newDeadline(s *sched.Sched, name string) *deadline {
	return &deadline{sched: s, name: name, past: make(chan struct{})}
}

// set changes the time; the zero one never comes.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.halt()
	d.sets++
	if d.over {
		d.over, d.past = false, make(chan struct{})
	}
	wait := time.Until(t)
	switch {
	case t.IsZero():
	case wait <= 0:
		d.come()
	default:
		sets := d.sets
		d.stop = d.sched.After(wait, d.name, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.sets == sets {
				d.come()
			}
		})
	}
}

// come ends all waiting. The lock is held.
func (d *deadline) come() {
	d.over = true
	close(d.past)
}

// halt forgets the time that was set. The lock is held.
func (d *deadline) halt() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// end is for a connection that is closed: nobody waits any more.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.halt()
}

func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

// wait is closed when the time comes.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.past
}
