package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/internal/plan"
	"understudy/messages"
)

// Device owns one disk's cycle: list it, do its jobs, rest, begin again. It lives
// on when its disk does not answer; the other disks do not notice.
//
//	resting ─▶ listing ─▶ running ─▶ resting …      any of them ─▶ stalled ─▶ resting
//
// One device actor serves all policies that the disk is part of.
type Device struct {
	life
	errand // the listing
	opts   *Options
	log    zerolog.Logger
	name   string
	phase  string // the state's name
	state  actor.Behavior
	view   *messages.View
	wiring messages.Wiring
	kid    *actor.Props
	cycle  int         // Swift's replication_cycle: which tenth of the partitions is listed
	wake   func() bool // stops the timer that ends a rest
	naps   uint64      // rests so far: tells a late timer from the present one

	settling map[job]time.Time // proven handoffs that are kept for a while, since when

	// the pass
	begun    time.Time
	jobs     []job              // what is left, taken from the front
	live     map[string]*flight // by PID, until its report or its end
	asked    int                // slots asked for and not yet granted
	handoffs int                // handoff partitions that are still there
	cut      string             // why the pass ends early
}

// job is one partition to look at: small, for there may be a million of them.
type job struct {
	policy uint32
	number uint32
}

// flight is one partition actor at work.
type flight struct {
	pid      *actor.PID
	kind     messages.Kind
	job      job
	peers    []messages.Node
	reported bool // its numbers have gone to the recorder, its slot is given back
	stuck    bool
}

// restOver ends a rest. Sender: the device's own timer.
type restOver struct{ nap uint64 }

// IgnoreDeadLetterLogging: the device may have ended meanwhile.
func (*restOver) IgnoreDeadLetterLogging() {}

func deviceProps(e *engine, name string, view *messages.View, wiring messages.Wiring) *actor.Props {
	kid := partitionProps(e)
	return e.props(func() actor.Actor {
		d := &Device{
			life: newLife(), errand: errand{deps: e.deps, timeout: e.opts.CallTimeout},
			opts: e.opts, name: name, view: view, wiring: wiring, kid: kid,
			log:   e.deps.Log.With().Str("device", name).Logger(),
			cycle: e.deps.Rand.IntN(10), live: map[string]*flight{}, settling: map[job]time.Time{}, phase: messages.StateResting,
		}
		d.state.Become(d.resting)
		return d
	})
}

// Receive implements actor.Actor: what is the same in every state, then the state.
func (d *Device) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.RingsChanged:
		d.view = m.View
		for _, f := range d.live {
			c.Send(f.pid, m) // a revert job looks at it before it removes anything
		}
	case *messages.Wiring:
		d.rewire(c, *m)
	case *messages.SlotGranted:
		d.granted(c)
	case *messages.PartitionDone:
		d.partitionDone(c, m)
	case *messages.PartitionStuck:
		d.partitionStuck(c, m)
	case *actor.Terminated:
		d.partitionGone(c, m.Who)
	case *actor.Stopping:
		d.drop()
		d.rouse()
	default:
		d.state.Receive(c)
	}
}

// resting waits for the next pass.
func (d *Device) resting(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.StartPass:
		d.begin(c)
	case *restOver:
		if m.nap == d.naps {
			d.begin(c)
		}
	}
}

// listing waits for the partitions of the disk.
func (d *Device) listing(c actor.Context) {
	switch m := c.Message().(type) {
	case *answer:
		if d.back(m) {
			d.listed(c, m)
		}
	case *overdue:
		if d.late(m) {
			d.cut = "listing is stuck: " + errStuck.Error()
			d.log.Error().Msg(d.cut)
			d.tell(c, &messages.PassStarted{Device: d.name, At: d.begun})
			d.endPass(c)
		}
	}
}

// running has jobs in flight; all its messages are common ones.
func (d *Device) running(actor.Context) {}

// stalled has given its pass up and waits for a call on the disk to return. It
// takes no new work: a second call would be stuck as well.
func (d *Device) stalled(c actor.Context) {
	if m, ok := c.Message().(*answer); ok && d.back(m) {
		d.revive(c)
	}
}

// become enters a state and says so.
func (d *Device) become(c actor.Context, state string, receive actor.ReceiveFunc) {
	d.phase = state
	d.state.Become(receive)
	d.tell(c, &messages.DeviceState{Device: d.name, State: state})
}

func (d *Device) tell(c actor.Context, m any) { c.Request(d.wiring.Recorder, m) }

// rewire follows a replaced budget or recorder: the new budget learns what is
// held, and is asked again for what its predecessor still owed.
func (d *Device) rewire(c actor.Context, w messages.Wiring) {
	changed := !w.Budget.Equal(d.wiring.Budget)
	d.wiring = w
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

// rest waits for the next pass, or for ever in script mode.
func (d *Device) rest(c actor.Context) {
	d.become(c, messages.StateResting, d.resting)
	if d.opts.Once {
		return
	}
	d.naps++
	nap, self, root := d.naps, c.Self(), c.ActorSystem().Root
	d.wake = d.deps.Clock.AfterFunc(d.opts.Interval, func() { root.Send(self, &restOver{nap}) })
	inSwiftsWords(d.log.Debug()).Msgf("Replication sleeping for %s seconds.", plan.PyFloat(d.opts.Interval.Seconds()))
}

func (d *Device) rouse() {
	if d.wake != nil {
		d.wake()
	}
}

// held is how many slots have a job in them.
func (d *Device) held() int {
	n := 0
	for _, r := range d.live {
		if !r.reported {
			n++
		}
	}
	return n
}
