package actors

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// disturbance is what happens to the n-th message of a type to a kind of actor.
type disturbance struct {
	kind, message, verb string
	nth                 int
}

func (d disturbance) String() string {
	return fmt.Sprintf("%s_%s_%s_%d", d.kind, d.message, d.verb, d.nth)
}

// disturb has it happen in a world, and tells how many such messages have come so far. Of
// a storm of messages it makes an end.
func (w *world) disturb(d disturbance) (come func() int) {
	seen, all := 0, 0
	meets := func(c actor.ReceiverContext, m any) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if all++; all > 30_000 {
			panic(Fatal{fmt.Errorf("a storm of messages: %T", m)})
		}
		kind := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", c.Actor()), "*actors."))
		name := fmt.Sprintf("%T", m)
		if kind != d.kind || name[strings.LastIndex(name, ".")+1:] != d.message {
			return false
		}
		seen++
		return seen == d.nth
	}
	w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
			if !meets(c, e.Message) {
				next(c, e)
				return
			}
			switch d.verb {
			case "duplicate":
				next(c, e)
				next(c, e)
			case "late": // overtaken by all that comes within three seconds
				self, root, m, from := c.Self(), c.ActorSystem().Root, e.Message, e.Sender
				time.AfterFunc(3*time.Second, func() { root.RequestWithCustomSender(self, m, from) })
			}
		}
	})
	return func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return seen
	}
}

// goesOn runs a daemon of two disks in which one message is disturbed, and tells whether
// some minutes later both disks go through their passes, and messages of this kind come.
func goesOn(t *testing.T, d disturbance) (well bool) {
	inWorld(t, threeCopies(4, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Interval, w.opts.CallTimeout = false, 30*time.Second, 40*time.Second
		w.slowly(100 * time.Millisecond)
		fine := w.peer
		w.peer = func(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
			if part%2 == 0 {
				return messages.Hashes{}, nil // a push follows
			}
			return fine(ctx, n, policy, part)
		}
		come := w.disturb(d)
		w.start()
		passes := func() (n [2]int) {
			got, err := w.system.Root.RequestFuture(w.root, &messages.GetSnapshot{}, time.Second).Result()
			if err != nil {
				return n
			}
			for i, x := range got.(*messages.Snapshot).Devices {
				n[i] = x.Passes
			}
			return n
		}
		time.Sleep(3 * time.Minute)
		if come() < d.nth {
			w.t.Errorf("it has never happened")
		}
		before, had := passes(), come()
		time.Sleep(2 * time.Minute)
		now := passes()
		well = now[0] >= before[0]+3 && now[1] >= before[1]+3 && (come() > had || atBirth[d.message])
		select {
		case err := <-w.failure:
			w.t.Logf("the engine has ended: %v", err)
			w.root, well = nil, false
		default:
		}
	})
	return well
}

// atBirth are messages that an actor gets once in its life.
var atBirth = map[string]bool{"StartPass": true, "DevicesChanged": true}

// handled are the messages of a pass, by who handles them, and what comes of one that is
// lost: true, the next pass at the latest is as if nothing had been; false, a disk or all
// wait for it for ever. docs/experiments.md has the same table.
var handled = []struct {
	kind, message string
	lost          bool
}{
	{"budget", "AskSlots", false},
	{"budget", "ReturnSlots", true},
	{"device", "SlotGranted", false},
	{"device", "StartPass", false},
	{"device", "restOver", false},
	{"device", "PartitionDone", false},
	{"device", "answer", true},
	{"device", "piece", true},
	{"partition", "StartJob", false},
	{"partition", "answer", false},
	{"recorder", "DevicesChanged", false},
	{"recorder", "DeviceState", true},
	{"recorder", "PassStarted", true},
	{"recorder", "PassFound", true},
	{"recorder", "JobBegun", true},
	{"recorder", "JobDone", true},
	{"recorder", "JobGone", true},
	{"recorder", "PassDone", true},
	{"recorder", "answer", true},
	{"recorder", "sampleDue", true},
	{"supervisor", "RoundDone", true},
	{"ringwatcher", "look", false},
	{"ringwatcher", "answer", false},
}

// A message that comes twice, or after others that were sent later, does no lasting harm;
// of one that is lost the table tells.
func TestMessagesLostTwiceLate(t *testing.T) {
	for _, m := range handled {
		for _, verb := range []string{"drop", "duplicate", "late"} {
			d := disturbance{m.kind, m.message, verb, 1}
			t.Run(d.String(), func(t *testing.T) {
				if got, want := goesOn(t, d), verb != "drop" || m.lost; got != want {
					t.Errorf("the engine goes on: %v, want %v", got, want)
				}
			})
		}
	}
}
