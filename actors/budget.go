package actors

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// Budget bounds the jobs in flight in the whole node. Devices ask for slots and
// are served in turn, one slot at a time, so that a disk with much work cannot
// starve the others. The slots of a device whose actor is gone come back.
//
// A disk that hangs gives no slot back until that is noticed, and would gather them
// all. So those who hold less than their share of the slots are served first.
type Budget struct {
	life
	slots    int
	free     int // may be negative for a while, after a rebirth or when slots become fewer
	accounts map[string]*account
	turn     []*account // those with open requests, next one first
}

type account struct {
	device *actor.PID
	held   int
	asked  int
}

func budgetProps(e *engine, course *messages.Course) *actor.Props {
	return e.props(func() actor.Actor {
		return &Budget{life: newLife(), slots: course.Limits.Jobs, free: course.Limits.Jobs, accounts: map[string]*account{}}
	})
}

// Taken is how many slots are out. It is for those who look at an actor between two of its
// messages.
func (b *Budget) Taken() int { return b.slots - b.free }

// Receive implements actor.Actor.
func (b *Budget) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.AskSlots:
		b.ask(c, m.N)
	case *messages.ReturnSlots:
		b.take(b.account(c), -min(m.N, b.account(c).held))
	case *messages.ClaimSlots:
		b.take(b.account(c), m.N)
	case *messages.CourseChanged:
		b.free += m.Course.Limits.Jobs - b.slots
		b.slots = m.Course.Limits.Jobs
	case *actor.Terminated:
		if a := b.accounts[m.Who.Id]; a != nil {
			b.take(a, -a.held)
			a.asked = 0
			delete(b.accounts, m.Who.Id)
		}
	default:
		return
	}
	b.grant(c)
}

// account is the sender's, opened at its first message and watched from then on.
func (b *Budget) account(c actor.Context) *account {
	a := b.accounts[c.Sender().Id]
	if a == nil {
		a = &account{device: c.Sender()}
		b.accounts[c.Sender().Id] = a
		c.Watch(c.Sender())
	}
	return a
}

func (b *Budget) ask(c actor.Context, n int) {
	a := b.account(c)
	if a.asked == 0 {
		b.turn = append(b.turn, a)
	}
	a.asked += n
}

func (b *Budget) take(a *account, n int) {
	a.held += n
	b.free -= n
}

// grant hands out free slots, one to each device in turn.
func (b *Budget) grant(c actor.Context) {
	for b.free > 0 {
		a := b.next()
		if a == nil {
			return
		}
		a.asked--
		b.take(a, 1)
		c.Request(a.device, &messages.SlotGranted{})
		if a.asked > 0 {
			b.turn = append(b.turn, a)
		}
	}
}

// next takes the device whose turn it is off the queue.
func (b *Budget) next() *account {
	b.turn = slices.DeleteFunc(b.turn, func(a *account) bool { return a.asked == 0 }) // their devices are gone
	for _, limit := range []int{b.share(), b.slots} {
		i := slices.IndexFunc(b.turn, func(a *account) bool { return a.held < limit })
		if i >= 0 {
			a := b.turn[i]
			b.turn = slices.Delete(b.turn, i, i+1)
			return a
		}
	}
	return nil
}

// share is what each device may hold while all that want slots have some.
func (b *Budget) share() int {
	competing := 0
	for _, a := range b.accounts {
		if a.held+a.asked > 0 {
			competing++
		}
	}
	return (b.slots + max(1, competing) - 1) / max(1, competing)
}
