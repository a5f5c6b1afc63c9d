package bootstrap

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// wallClock is the real clock.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// globalRand is the runtime's random source.
type globalRand struct{}

func (globalRand) IntN(n int) int                     { return rand.IntN(n) }
func (globalRand) Shuffle(n int, swap func(i, j int)) { rand.Shuffle(n, swap) }

// crew runs work on goroutines, of which some stay when their work is done: their
// stacks have grown to what an actor or an errand needs, which costs a seventh of
// the CPU time of a pass when it is done anew for each.
type crew struct {
	work chan func() // taken by a goroutine that waits
	idle atomic.Int32
	end  chan struct{}
	once sync.Once
}

// maxIdle is how many goroutines wait for work at most.
const maxIdle = 64

func newCrew() *crew { return &crew{work: make(chan func()), end: make(chan struct{})} }

// Go runs f on another goroutine. It never blocks, and there is no bound on how
// many run: a call that hangs keeps nobody else waiting.
func (c *crew) Go(f func()) {
	select {
	case c.work <- f:
	default:
		go c.run(f)
	}
}

func (c *crew) run(f func()) {
	for {
		f()
		if c.idle.Add(1) > maxIdle {
			c.idle.Add(-1)
			return
		}
		select {
		case f = <-c.work:
			c.idle.Add(-1)
		case <-c.end:
			c.idle.Add(-1)
			return
		}
	}
}

// Close lets those that wait go home. Work that comes later still runs.
func (c *crew) Close() { c.once.Do(func() { close(c.end) }) }
