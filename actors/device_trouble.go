package actors

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// A disk is probed when a pass begins, while it works and while it is out of
// service. What a probe finds, a row of ill jobs or a call that does not return
// takes the disk out of service: its pass is cut, its slots go to others, and it
// gets no new work. It comes back by itself with the first probe that finds it fine.

// leave takes the disk out of service, or keeps it there for another reason.
func (d *Device) leave(c actor.Context, state, why string) {
	if d.stopping {
		return
	}
	if d.phase == state {
		d.tellState(c) // one more call may be stuck
		d.nextProbe(c)
		return
	}
	d.log.Warn().Str("state", state).Str("why", why).Msg("device out of service")
	early := d.open && d.cut == "" && !d.sought
	if d.open && d.cut == "" {
		d.cursor.Reached = d.reached()
		d.cut, d.broken = why, d.sought || d.cursor.Done > 0
	}
	d.drop()
	d.abandonAll(c)
	absent := messages.OutOfService(d.phase)
	d.why = why
	d.become(c, state, d.away)
	d.rouse(c)
	if early {
		d.refuse(c, why)
	}
	if state == messages.StateStalled {
		d.writeOff(c)
	}
	d.finish(c)
	if !absent && !d.e.opts.Once {
		d.nap(c)
	}
	d.nextProbe(c)
}

// writeOff gives up all jobs in flight: who knows which of them hang.
func (d *Device) writeOff(c actor.Context) {
	d.giveUpSurvey(c)
	for _, f := range d.live {
		if !f.reported {
			c.Send(f.pid, &messages.GiveUp{Why: d.why})
		}
	}
}

// away is out of service. At the end of each rest it tells the recorder that there
// was no pass, as Swift finds an unmounted disk at the beginning of each pass.
func (d *Device) away(c actor.Context) {
	m, ok := c.Message().(*restOver)
	if !ok || m.nap != d.naps {
		return
	}
	if !d.open { // else jobs of the cut pass are still in flight
		d.tell(c, &messages.PassStarted{Device: d.name, At: d.e.deps.Clock.Now()})
		d.refuse(c, d.why)
		d.tell(c, &messages.PassDone{Device: d.name, Handoffs: d.remain, Cut: d.why})
	}
	d.nap(c)
}

// refuse counts a pass that cannot begin, as Swift counts one of an unmounted disk.
func (d *Device) refuse(c actor.Context, why string) {
	for _, p := range d.policies() {
		if d.phase == messages.StateUnmounted {
			inSwiftsWords(d.log.Warn()).Msg(why)
		}
		d.countFailure(c, p.Ring)
	}
}

// diagnose looks at how a job has ended for signs of an ill disk. A few bad sectors
// fail their partitions only: it takes a row of ill jobs to take a disk out of service.
func (d *Device) diagnose(c actor.Context, o messages.Outcome) {
	ill := cmp.Or(o.Ill, o.Err)
	var gone *messages.DeviceError
	switch {
	case ill == nil:
		d.ills = 0
	case d.e.deps.Store.Ill(ill): // also of a device that seems not mounted: its disk is dead
		if d.ills++; d.ills >= d.e.opts.ErrorLimit {
			d.leave(c, messages.StateFailing, ill.Error())
		}
	case errors.As(ill, &gone):
		d.leave(c, messages.StateUnmounted, gone.Message)
	}
}

// probe asks what the disk is good for. It stays away from a disk that holds calls
// back, so that no second one is stuck as well.
func (d *Device) probe(c actor.Context) {
	if d.stopping || d.prober.out || d.phase == messages.StateResting || d.phase == messages.StateStalled && d.stuck() > 0 {
		return
	}
	store, device := d.e.deps.Store, d.name
	d.prober.run(c, d.ctx, func(ctx context.Context) (any, error) { return store.Probe(ctx, device) })
}

// nextProbe sets the time of the next probe, not the same one for all disks.
func (d *Device) nextProbe(c actor.Context) {
	if d.e.opts.Once && messages.OutOfService(d.phase) {
		return // its pass is over; script mode gives no second one
	}
	every := d.e.opts.ProbeInterval
	wait := every + every*time.Duration(d.e.deps.Rand.IntN(256))/1024
	d.probing.set(c, d.e.deps.Clock, wait, &probeDue{})
}

// probed takes in what a probe has found.
func (d *Device) probed(c actor.Context, a *answer) {
	var gone *messages.DeviceError
	switch {
	case d.stopping || d.phase == messages.StateResting:
		return // its pass has ended meanwhile
	case a.err != nil && d.e.deps.Store.Ill(a.err):
		d.leave(c, messages.StateFailing, a.err.Error())
		return
	case errors.As(a.err, &gone):
		d.leave(c, messages.StateUnmounted, gone.Message)
		return
	case errors.Is(a.err, context.DeadlineExceeded):
		d.leave(c, messages.StateStalled, "probe: "+errStuck.Error())
		return
	case a.err != nil: // trouble of ours, not the disk's
		d.log.Warn().Err(a.err).Msg("probe device")
	default:
		d.judge(c, a.value.(messages.Disk))
	}
	switch {
	case messages.OutOfService(d.phase):
		d.back(c)
		return
	case d.phase == messages.StateListing && !d.sought:
		d.list(c)
	}
	d.nextProbe(c)
}

// judge notes what the disk is good for. One that is full or read-only goes on: it
// is still a source, and its handoffs can be drained.
func (d *Device) judge(c actor.Context, disk messages.Disk) {
	if disk == d.disk {
		return
	}
	d.disk = disk
	if disk == messages.DiskFine {
		d.log.Warn().Msg("disk is fine again")
	} else {
		d.log.Warn().Msg("disk is " + string(disk))
	}
	d.tellState(c)
}

// calm looks after a stalled disk when a call has returned.
func (d *Device) calm(c actor.Context) {
	if d.phase == messages.StateStalled && d.stuck() == 0 {
		d.probe(c)
	}
}

// back takes the disk into service again, once nothing of its past is out.
func (d *Device) back(c actor.Context) {
	if d.e.opts.Once {
		return
	}
	if d.open || d.lister.out || d.surveyor.out || len(d.live) > 0 {
		d.nextProbe(c)
		return
	}
	d.log.Warn().Str("state", d.phase).Msg("device is back in service")
	d.why = ""
	if d.paused() {
		d.due = true
		d.rest(c)
		return
	}
	d.begin(c)
}
