package breaker

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// ticking is a clock that goes on with each look.
type ticking struct{ now atomic.Int64 }

func (c *ticking) Now() time.Time { return time.Unix(0, c.now.Add(int64(10*time.Millisecond))) }

type anyDice struct{}

func (anyDice) IntN(n int) int { return rand.IntN(n) }

// A storm of calls of all kinds from many goroutines; then every peer answers, and
// nothing is left.
func TestStorm(t *testing.T) {
	log := &logLines{}
	s := New(Config{Clock: &ticking{}, Rand: anyDice{}, Log: zerolog.New(log)})
	s.most = 8
	var calm atomic.Bool
	i := &inner{script: func(ctx context.Context, node messages.Node) (messages.SyncResult, error) {
		if calm.Load() {
			return messages.SyncResult{OK: true}, nil
		}
		switch rand.IntN(6) {
		case 0:
			return messages.SyncResult{}, timeout(node.Device)
		case 1:
			return messages.SyncResult{}, refused(node.Device)
		case 2:
			return messages.SyncResult{}, status(node.Device, 507)
		case 3:
			return messages.SyncResult{Silence: messages.Unanswered}, nil
		case 4:
			return messages.SyncResult{}, &messages.PeerError{Err: context.Canceled}
		}
		return messages.SyncResult{OK: true}, nil
	}}
	devices := []string{"a", "b", "c", "d", "e"}
	call := func(device string) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		if rand.IntN(4) == 0 {
			stop()
		}
		node := nodeOf(device)
		node.ReplicationPort += rand.IntN(3)
		switch rand.IntN(3) {
		case 0:
			_, _ = s.Peers(i).Hashes(ctx, node, 0, 7)
		case 1:
			_, _ = s.Transport(i, Replicate).Sync(ctx, messages.SyncJob{Node: node})
		default:
			_, _ = s.Transport(i, Sync).Sync(ctx, messages.SyncJob{Node: node})
		}
	}
	storm := func(calls int) {
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for range calls {
					call(devices[rand.IntN(len(devices))])
					if n := len(s.States()); n > s.most {
						t.Errorf("%d breakers", n)
					}
				}
			})
		}
		all.Wait()
	}
	storm(200)
	if len(log.lines()) == 0 {
		t.Error("no breaker has ever opened")
	}
	calm.Store(true)
	for end := time.Now().Add(time.Minute); len(s.States()) > 0; {
		if time.Now().After(end) {
			t.Fatalf("peers that answer are not asked: %+v", s.States())
		}
		storm(200)
	}
}

// Of many calls at the moment when a peer is due, one tries it.
func TestOneOfMany(t *testing.T) {
	for range 50 {
		clock := &pretend{now: time.Unix(1700000000, 0)}
		s := New(Config{Clock: clock, Rand: dice(0), Log: zerolog.Nop()})
		i := &inner{script: func(_ context.Context, n messages.Node) (messages.SyncResult, error) {
			return messages.SyncResult{}, timeout(n.Device)
		}}
		_, _ = s.Peers(i).Hashes(t.Context(), nodeOf("a"), 0, 7)
		clock.now = clock.now.Add(time.Second)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() { _, _ = s.Peers(i).Hashes(t.Context(), nodeOf("a"), 0, 7) })
		}
		all.Wait()
		if len(i.calls) != 2 || s.States()[0].Untried != 15 {
			t.Fatalf("%d calls came through: %+v", len(i.calls), s.States())
		}
	}
}
