package actors

import (
	"context"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/internal/plan"
	"understudy/messages"
)

// Recorder is the one owner of the engine's numbers. Devices tell it what they
// do; it speaks for the node: the lines of a pass, the recon cache, snapshots.
//
// A round begins with the first pass that begins while none is open, and ends
// when every device has ended a pass that it began in the round. In it each disk
// goes through its own cycle; a round is what Swift calls a replication pass.
type Recorder struct {
	life
	errand   // writing the recon cache
	opts     *Options
	log      zerolog.Logger
	view     *messages.View
	disks    map[string]*disk // of this node
	round    *round           // nil between two rounds
	rounds   int              // complete ones
	beat     func() bool      // stops the heartbeat timer
	todo     []reconWork      // recon changes waiting for the one that is being made
	dirty    map[string]bool  // devices of which recon is to be told something new
	super    messages.Supervision
	course   *messages.Course
	sampling alarm
	node     meter               // the whole node's
	ended    *messages.RoundDone // a finished round whose recon entries are not all written
}

// disk is what is known of one device.
type disk struct {
	messages.DeviceSnapshot
	round *round          // in which the running pass began, nil when none runs
	whole *messages.Stats // numbers of the last pass that was reported, nil before the first
	spent time.Duration   // of that pass
	ended time.Time       // of that pass
	split bool            // that pass is unfinished

	flights map[*messages.Flight]bool // true until its job is counted
	meter   meter
}

// round is one go through all devices.
type round struct {
	begun   time.Time
	waiting map[string]bool // devices whose pass is still to end
	stats   messages.Stats  // everything since the round began, for the lines
	jobs    int
	times   plan.Times
	said    int // jobs attempted when the last lines were logged
}

// heartbeat makes the recorder log its lines. Sender: its own timer.
type heartbeat struct{}

// IgnoreDeadLetterLogging: the recorder may have ended meanwhile.
func (*heartbeat) IgnoreDeadLetterLogging() {}

// reconTimeout bounds one write of the recon cache: its lock waits for 2 s.
const reconTimeout = 10 * time.Second

func recorderProps(e *engine, view *messages.View, course *messages.Course) *actor.Props {
	return e.props(func() actor.Actor {
		return &Recorder{
			life: newLife(), errand: errand{deps: e.deps, timeout: reconTimeout, grace: callGrace},
			opts: e.opts, log: e.deps.Log, view: view, disks: map[string]*disk{}, dirty: map[string]bool{},
			course: course,
		}
	})
}

// Receive implements actor.Actor.
func (r *Recorder) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.DevicesChanged:
		r.devicesChanged(c, m.Devices)
	case *messages.RingsChanged:
		r.ringsChanged(m)
	case *messages.PassStarted:
		r.passStarted(c, m)
	case *messages.PassFound:
		r.passFound(m)
	case *messages.JobDone:
		r.jobDone(m)
	case *messages.JobBegun:
		r.jobBegun(m)
	case *messages.JobGone:
		r.jobGone(m)
	case *messages.CourseChanged:
		r.course = m.Course
	case *sampleDue:
		r.sampled(c)
	case *messages.PassDone:
		r.passDone(c, m)
	case *messages.DeviceState:
		r.state(c, m)
	case *messages.SupervisionEvent:
		r.supervised(m)
	case *adopted:
		r.deps, r.opts, r.log = m.engine.deps, m.engine.opts, m.engine.deps.Log
	case *messages.GetSnapshot:
		c.Respond(r.snapshot())
	case *heartbeat:
		if r.round != nil {
			r.sayProgress()
			r.publishAllStates(c)
			r.startHeartbeat(c)
		}
	case *answer:
		if r.back(m) {
			r.written(c, m.err)
		}
	case *overdue:
		if r.late(m) {
			r.out = false // write it off: the next entries go their own way
			r.written(c, errStuck)
		}
	case *actor.Stopping:
		r.drop()
		r.stopHeartbeat()
		r.sampling.stop()
	}
}

// devicesChanged keeps a record for each device of this node. With none at all a
// round is over as soon as it has begun.
func (r *Recorder) devicesChanged(c actor.Context, names []string) {
	var left []string
	for name := range r.disks {
		if !slices.Contains(names, name) {
			left = append(left, name)
			delete(r.disks, name)
		}
	}
	for _, name := range names {
		if r.disks[name] == nil {
			r.disks[name] = newDisk(name, r.now())
			if r.round != nil {
				r.round.waiting[name] = true
			}
		}
	}
	if !r.opts.Only.Any() {
		r.forgetOthers(c, names)
	}
	if r.round == nil && len(names) == 0 {
		r.openRound(c, r.now())
	}
	if r.round != nil {
		for _, name := range left {
			delete(r.round.waiting, name)
		}
		r.closeRound(c)
	}
}

func (r *Recorder) passStarted(c actor.Context, m *messages.PassStarted) {
	d := r.disks[m.Device]
	if d == nil {
		return // dismissed meanwhile
	}
	if r.round == nil {
		r.openRound(c, m.At)
	}
	d.round, d.Jobs, d.Done, d.Cut = r.round, m.Done, m.Done, ""
	d.Begun, d.Stats = m.At, copyOf(m.Before)
	d.Bytes, d.Causes = 0, map[messages.Cause]int{}
}

func (r *Recorder) passFound(m *messages.PassFound) {
	d := r.disks[m.Device]
	if d == nil {
		return
	}
	d.Jobs += m.Jobs
	if r.round != nil {
		r.round.jobs += m.Jobs
	}
	r.add(d, messages.Stats{Counts: m.Counts, FailureNodes: m.Failures})
}

func (r *Recorder) jobDone(m *messages.JobDone) {
	d := r.disks[m.Device]
	if d == nil {
		return
	}
	d.Done++
	r.count(d, m)
	r.add(d, messages.Stats{Counts: m.Outcome.Counts, FailureNodes: m.Outcome.Failures})
	if r.round != nil && !m.Outcome.Skipped {
		r.round.times.Add(m.Outcome.Elapsed)
	}
}

func (r *Recorder) add(d *disk, s messages.Stats) {
	d.Stats.Add(s)
	if r.round != nil {
		r.round.stats.Add(s)
	}
}

func (r *Recorder) passDone(c actor.Context, m *messages.PassDone) {
	d := r.disks[m.Device]
	if d == nil {
		return
	}
	if r.round == nil && d.round == nil {
		r.openRound(c, r.now()) // a device that crashed before its pass had begun
	}
	if r.round != nil && (d.round == nil || d.round == r.round) {
		delete(r.round.waiting, m.Device)
	}
	d.round = nil
	d.Handoffs, d.Cut, d.split = m.Handoffs, m.Cut, m.Broken
	stats := d.Stats
	d.whole, d.ended = &stats, r.now()
	if m.Cut == "" {
		d.Passes++
		d.Complete = d.ended
	}
	if !d.Begun.IsZero() {
		d.spent = d.ended.Sub(d.Begun)
	}
	d.keepHistory()
	if r.opts.PerDisk && !m.Broken {
		r.publishDisk(c, d)
	}
	r.closeRound(c)
}

func (r *Recorder) state(c actor.Context, m *messages.DeviceState) {
	d := r.disks[m.Device]
	if d == nil {
		return
	}
	before := d.DeviceSnapshot
	if d.State != m.State {
		d.Since = r.now()
	}
	d.State, d.Why, d.Stuck = m.State, m.Why, m.Stuck
	if m.State == messages.StateBackingOff {
		d.Restarts++
		clear(d.flights)
	} else {
		d.Disk = m.Disk
	}
	if messages.OutOfService(before.State) != messages.OutOfService(m.State) {
		event := messages.SupervisionEvent{At: r.now(), Kind: messages.EventDevice, Actor: m.Device, Why: inWords(m)}
		r.remember(event)
		publish(c, &messages.Happened{Engine: c.Parent(), Event: event})
	}
	if messages.OutOfService(before.State) != messages.OutOfService(m.State) || before.Why != m.Why || before.Disk != d.Disk {
		r.publishState(c, m.Device)
	}
}

// maxRecent is how many supervision events are kept.
const maxRecent = 100

func (r *Recorder) supervised(m *messages.SupervisionEvent) {
	switch m.Kind {
	case messages.EventCrash:
		r.super.Crashes++
	case messages.EventBirth:
		r.super.Births++
	case messages.EventDeadLetter:
		r.super.DeadLetters++
	case messages.EventLate:
		r.super.Late++
		return // too ordinary to push others out
	}
	r.remember(*m)
}

// remember keeps an event.
func (r *Recorder) remember(e messages.SupervisionEvent) {
	r.super.Recent = append(r.super.Recent, e)
	if n := len(r.super.Recent); n > maxRecent {
		r.super.Recent = slices.Clone(r.super.Recent[n-maxRecent:])
	}
}

func (r *Recorder) now() time.Time { return r.deps.Clock.Now() }

// reconWork is one change of the recon cache.
type reconWork func(context.Context, Recon) error

// write changes the recon cache, after the changes that wait already.
func (r *Recorder) write(c actor.Context, w reconWork) {
	r.todo = append(r.todo, w)
	r.writeNext(c)
}

func (r *Recorder) writeEntries(c actor.Context, entries map[string]any) {
	r.write(c, func(ctx context.Context, recon Recon) error { return recon.Update(ctx, entries) })
}

func (r *Recorder) writeNext(c actor.Context) {
	if r.out || len(r.todo) == 0 {
		return
	}
	recon, work := r.deps.Recon, r.todo[0]
	r.todo = r.todo[1:]
	r.run(c, r.ctx, func(ctx context.Context) (any, error) { return nil, work(ctx, recon) })
}

func (r *Recorder) written(c actor.Context, err error) {
	if err != nil {
		inSwiftsWords(r.log.Error()).Err(err).Msgf("Exception dumping recon cache: %s", why(err))
	}
	r.writeNext(c)
	r.publishDirty(c)
	r.announce(c)
}
