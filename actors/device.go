package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/messages"
)

// Device owns one disk's cycle: list it, do its jobs, rest, begin again. It lives
// on when its disk does not answer; the other disks do not notice.
//
//	resting ─▶ listing ─▶ running ─▶ resting …
//	  any of them ─▶ unmounted, failing or stalled ─▶ (the disk answers again) listing …
//
// One device actor serves all policies that the disk is part of.
type Device struct {
	life
	e      *engine
	log    zerolog.Logger
	name   string
	view   *messages.View
	wiring messages.Wiring
	course *messages.Course
	kid    *actor.Props

	phase string // the state's name
	why   string // the disk is out of service
	disk  messages.Disk
	state actor.Behavior

	lister, prober, keeper, surveyor errand // each has at most one call out

	wake      alarm // ends a rest
	probing   alarm // asks for the next probe
	noting    alarm // asks for the next note of the cursor
	recalling alarm // asks for deferred jobs that are due
	unloaded  bool  // the cursor of an earlier process has still to be looked at
	ills      int   // jobs in a row that the disk's illness ended

	due    bool         // a pass is to begin as soon as no pause forbids it
	failed map[job]bool // partitions whose last job failed
	wanted map[job]bool // those that go first in the next listing
	tired  int          // slots that rest after a job
	spell  uint64       // tells their late alarms from present ones

	settling map[job]time.Time // proven handoffs that are kept for a while, since when
	cycle    int               // Swift's replication_cycle: which tenth of the partitions is listed
	pass                       // the running one, or the one that was interrupted
}

// job is one partition to look at.
type job struct {
	policy uint32
	number uint32
}

// flight is one partition actor at work.
type flight struct {
	pid      *actor.PID
	kind     messages.Kind
	job      job
	place    uint32 // in the order of the pass
	peers    []messages.Node
	flight   *messages.Flight
	reported bool          // its numbers have gone to the recorder, its slot is given back
	waits    bool          // it was deferred: another actor goes on with it
	spent    time.Duration // by earlier actors, whose slots are given back
	stuck    bool
}

func deviceProps(e *engine, name string, view *messages.View, wiring messages.Wiring, course *messages.Course) *actor.Props {
	return e.props(func() actor.Actor {
		d := &Device{
			life: newLife(), name: name, view: view, wiring: wiring, course: course,
			failed: map[job]bool{}, wanted: map[job]bool{},
			log:      e.deps.Log.With().Str("device", name).Logger(),
			cycle:    e.deps.Rand.IntN(10),
			settling: map[job]time.Time{}, phase: messages.StateResting, unloaded: !e.opts.Once,
		}
		d.live = map[string]*flight{}
		d.empty(0)
		d.adopt(e)
		d.state.Become(d.resting)
		return d
	})
}

// adopt takes over an engine's settings and parts. What is out stays with those of
// its beginning.
func (d *Device) adopt(e *engine) {
	d.e, d.kid = e, partitionProps(e)
	d.lister.deps, d.lister.timeout, d.lister.grace = e.deps, e.opts.CallTimeout, callGrace
	d.prober.deps, d.prober.timeout = e.deps, e.opts.ProbeTimeout
	d.keeper.deps, d.keeper.timeout, d.keeper.grace = e.deps, cursorTimeout, callGrace
	d.surveyor.deps, d.surveyor.timeout, d.surveyor.grace = e.deps, e.opts.CallTimeout, callGrace
}

// Receive implements actor.Actor: what is the same in every state, then the state.
func (d *Device) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.RingsChanged:
		d.ringsChanged(c, m)
	case *messages.Wiring:
		d.rewire(c, *m)
	case *adopted:
		d.adopt(m.engine)
		d.pump(c)
	case *messages.CourseChanged:
		d.courseChanged(c, m.Course)
	case *messages.RunPass:
		d.runPass(c)
	case *messages.Front:
		d.bringForward(c, m)
	case *messages.Retry:
		d.retry(c)
	case *rested:
		d.slotRested(c, m)
	case *messages.SlotGranted:
		d.granted(c)
	case *messages.PartitionDone:
		d.partitionDone(c, m)
	case *messages.PartitionStuck:
		d.partitionStuck(c, m)
	case *postponed:
		d.postpone(c, m)
	case *recallDue:
		d.recall(c)
	case *actor.Terminated:
		d.partitionGone(c, m.Who)
	case *answer:
		d.answered(c, m)
	case *overdue:
		d.waited(c, m)
	case *piece:
		d.found(c, m)
	case *probeDue:
		d.probe(c)
	case *noteDue:
		d.note(c)
	default:
		d.state.Receive(c)
	}
}

// end stops every timer, too. The guard calls it when the actor stops.
func (d *Device) end() {
	d.life.end()
	for _, e := range []*errand{&d.lister, &d.prober, &d.keeper, &d.surveyor} {
		e.drop()
	}
	d.wake.stop()
	d.probing.stop()
	d.noting.stop()
	d.recalling.stop()
}

// answered takes in what one of the device's own calls has brought.
func (d *Device) answered(c actor.Context, a *answer) {
	held := d.stuck()
	switch {
	case d.lister.back(a):
		d.listed(c, a)
	case d.prober.back(a):
		d.probed(c, a)
	case d.keeper.back(a):
		d.kept(c, a)
	case d.surveyor.back(a):
		d.surveyed(c, a)
	}
	if n := d.stuck(); n < held && messages.OutOfService(d.phase) {
		d.tellState(c) // fewer calls are stuck
	}
}

// waited hears that one of them has not come back in time.
func (d *Device) waited(c actor.Context, o *overdue) {
	switch {
	case d.lister.late(o):
		d.leave(c, messages.StateStalled, "listing: "+errStuck.Error())
	case d.prober.late(o):
		d.leave(c, messages.StateStalled, "probe: "+errStuck.Error())
	case d.keeper.late(o):
		d.log.Error().Msg("cursor: " + errStuck.Error())
		d.unloadedNow(c) // the pass does not wait for it
	case d.surveyor.late(o):
		d.giveUpSurvey(c)
		d.leave(c, messages.StateStalled, "survey: "+errStuck.Error())
	}
}

// become enters a state and says so.
func (d *Device) become(c actor.Context, state string, receive actor.ReceiveFunc) {
	d.phase = state
	d.state.Become(receive)
	d.tellState(c)
}

func (d *Device) tellState(c actor.Context) {
	d.tell(c, &messages.DeviceState{Device: d.name, State: d.phase, Disk: d.disk, Why: d.why, Stuck: d.stuck()})
}

func (d *Device) tell(c actor.Context, m any) { c.Request(d.wiring.Recorder, m) }

// rewire follows a replaced budget or recorder: the new budget learns what is
// held, and is asked again for what its predecessor still owed.
func (d *Device) rewire(c actor.Context, w messages.Wiring) {
	fresh := !w.Recorder.Equal(d.wiring.Recorder)
	changed := !w.Budget.Equal(d.wiring.Budget)
	d.wiring = w
	if fresh {
		d.tellState(c)
		d.tellFlights(c)
	}
	if !changed {
		return
	}
	if held := d.held(); held > 0 {
		c.Request(w.Budget, &messages.ClaimSlots{N: held})
	}
	owed := d.asked
	d.asked = 0
	d.askSlots(c, owed)
}

// held is how many slots have a job in them, or rest after one.
func (d *Device) held() int {
	n := d.tired
	for _, r := range d.live {
		if !r.reported {
			n++
		}
	}
	if d.batch != nil && !d.batch.over {
		n++
	}
	return n
}

// stuck is how many calls on this device have not returned in time. Each keeps a
// thread; there is one for each slot at most, the listing, the probe and a survey.
func (d *Device) stuck() int {
	n := 0
	for _, r := range d.live {
		if r.stuck {
			n++
		}
	}
	if d.phase != messages.StateStalled {
		return n
	}
	for _, e := range []*errand{&d.lister, &d.prober, &d.surveyor} {
		if e.out {
			n++
		}
	}
	return n
}
