package rsync

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"understudy/messages"
)

type answer struct {
	res messages.SyncResult
	err error
}

func syncing(tr *Transport, ctx context.Context, job messages.SyncJob) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		res, err := tr.Sync(ctx, job)
		done <- answer{res, err}
	}()
	return done
}

func await(t *testing.T, done <-chan answer) answer {
	t.Helper()
	select {
	case a := <-done:
		return a
	case <-time.After(patience):
		t.Fatal("the sync goes on")
		return answer{}
	}
}

// stepClock stands still. Its alarms go off by hand.
type stepClock struct {
	mu     sync.Mutex
	armed  *sync.Cond
	alarms map[*alarm]bool
}

type alarm struct {
	after time.Duration
	f     func()
}

func newStepClock() *stepClock {
	c := &stepClock{alarms: map[*alarm]bool{}}
	c.armed = sync.NewCond(&c.mu)
	return c
}

func (c *stepClock) Now() time.Time { return time.Unix(1700000000, 0) }

func (c *stepClock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &alarm{d, f}
	c.alarms[a] = true
	c.armed.Broadcast()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		was := c.alarms[a]
		delete(c.alarms, a)
		return was
	}
}

// fire waits for an alarm of a given length and sets it off.
func (c *stepClock) fire(t *testing.T, d time.Duration) {
	t.Helper()
	giveUp := time.AfterFunc(patience, func() { panic("no alarm was ever set for " + d.String()) })
	defer giveUp.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for a := range c.alarms {
			if a.after == d {
				delete(c.alarms, a)
				go a.f()
				return
			}
		}
		c.armed.Wait()
	}
}

// stuckChild is a spawner whose children ignore being killed.
type stuckChild struct {
	started chan struct{}
	killed  chan struct{}
	mu      sync.Mutex
	done    chan struct{} // of the newest child
}

func (s *stuckChild) Start([]string, io.Writer) Child {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = make(chan struct{})
	s.started <- struct{}{}
	return &stuckRun{done: s.done, killed: s.killed}
}

// end ends the newest child.
func (s *stuckChild) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.done)
}

type stuckRun struct{ done, killed chan struct{} }

func (s *stuckRun) Done() <-chan struct{} { return s.done }
func (s *stuckRun) Exit() (int, error)    { return -9, nil }
func (s *stuckRun) Kill()                 { s.killed <- struct{}{} }

func awaitSignal(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("there was no %s", what)
	}
}
