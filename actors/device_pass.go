package actors

import (
	"math"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// pass is one go through the partitions of a disk.
type pass struct {
	cursor      messages.Cursor // where it stands; see Device.reached
	open        bool            // begun and not ended
	sought      bool            // the listing has begun
	cut         string          // why it ends early
	broken      bool            // it was cut by trouble with the disk
	interrupted bool            // it has ended so, and will be gone on with

	queue    *plan.Backlog      // partitions that wait
	handoffs *plan.Backlog      // with handoffs_first: those that go first
	singles  *plan.Backlog      // those that were surveyed, or cannot be, and have to have a job
	looked   map[job]int        // of singles: suffixes that a survey has hashed
	front    []job              // those that an operator brought forward
	deferred []*deferral        // jobs that wait for busy peers
	batch    *batch             // what is being surveyed, or nil
	live     map[string]*flight // by PID, until its report or its end
	asked    int                // slots asked for and not yet granted
	remain   int                // handoff partitions that are still there
	naps     uint64             // rests so far: tells a late alarm from the present one
	noted    bool               // there is a note of the cursor on disk
}

// resting waits for the next pass.
func (d *Device) resting(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.StartPass:
		if d.unloaded {
			d.load(c)
			return
		}
		d.begin(c)
	case *restOver:
		if m.nap == d.naps {
			d.begin(c)
		}
	}
}

// listing and running have no messages of their own.
func (d *Device) listing(actor.Context) {}
func (d *Device) running(actor.Context) {}

// begin starts a pass, or goes on with the one that was interrupted. The disk is
// probed first: a call on one that hangs would cost more than a probe.
func (d *Device) begin(c actor.Context) {
	d.wake.stop()
	if d.due = d.paused(); d.due {
		return
	}
	if !d.interrupted {
		clear(d.failed) // all of them come again in this pass
		d.cycle = (d.cycle + 1) % 10
		d.cursor = messages.Cursor{
			Begun: d.e.deps.Clock.Now(), Cycle: d.cycle, Seed: uint32(d.e.deps.Rand.IntN(math.MaxInt32)),
		}
	}
	d.cycle = d.cursor.Cycle
	d.open, d.sought, d.cut, d.broken, d.interrupted = true, false, "", false, false
	d.remain, d.ills, d.cursor.Jobs = 0, 0, d.cursor.Done
	d.empty(plan.Order(d.cursor.Seed))
	d.become(c, messages.StateListing, d.listing)
	d.tell(c, &messages.PassStarted{Device: d.name, At: d.cursor.Begun, Before: copyOf(d.cursor.Stats), Done: d.cursor.Done})
	d.probe(c)
}

// empty makes new backlogs.
func (d *Device) empty(o plan.Order) {
	d.queue, d.handoffs, d.singles = plan.NewBacklog(o), plan.NewBacklog(o), plan.NewBacklog(o)
	d.front, d.looked = nil, map[job]int{}
}

// copyOf makes a copy that shares no map.
func copyOf(s messages.Stats) (out messages.Stats) {
	out.Add(s)
	return out
}

// finish ends the pass when nothing is left to do in it.
func (d *Device) finish(c actor.Context) {
	if d.open && d.phase != messages.StateListing && d.waiting() == 0 && d.held() == 0 {
		d.endPass(c)
	}
}

// endPass reports the pass, and rests unless the disk is out of service.
func (d *Device) endPass(c actor.Context) {
	d.open, d.interrupted = false, d.broken && !d.e.opts.Once
	d.tell(c, &messages.PassDone{Device: d.name, Handoffs: d.remain, Cut: d.cut, Broken: d.broken})
	d.noting.stop()
	if d.interrupted {
		d.note(c)
	} else {
		d.forget(c)
	}
	if !messages.OutOfService(d.phase) {
		d.rest(c)
	}
}

// rest waits for the next pass, or for ever in script mode.
func (d *Device) rest(c actor.Context) {
	d.probing.stop()
	d.become(c, messages.StateResting, d.resting)
	if d.e.opts.Once {
		return
	}
	d.nap(c)
	inSwiftsWords(d.log.Debug()).Msgf("Replication sleeping for %s seconds.", plan.PyFloat(d.e.opts.Interval.Seconds()))
}

func (d *Device) nap(c actor.Context) {
	d.naps++
	d.wake.set(c, d.e.deps.Clock, d.e.opts.Interval, &restOver{d.naps})
}

// waiting is how many partitions wait for their job.
func (d *Device) waiting() int {
	return len(d.front) + len(d.deferred) + d.queue.Len() + d.handoffs.Len() + d.singles.Len()
}

// reached is the place in the order below which every partition has been looked at.
// A job that is stuck counts as looked at: a pass that is gone on with must not
// begin with what has stopped it.
func (d *Device) reached() uint64 {
	if d.phase == messages.StateListing || !d.sought || d.cut != "" {
		return d.cursor.Reached // who knows what else there is
	}
	low := min(d.queue.First(), d.handoffs.First(), d.singles.First())
	for _, j := range d.front {
		low = min(low, uint64(d.queue.Place(j.policy, j.number)))
	}
	for _, w := range d.deferred {
		low = min(low, uint64(w.seat.place))
	}
	if d.batch != nil && !d.batch.over {
		low = min(low, d.batch.first)
	}
	for _, f := range d.live {
		if !f.reported {
			low = min(low, uint64(f.place))
		}
	}
	return max(low, d.cursor.Reached)
}
