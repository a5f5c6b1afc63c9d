package actors

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// A device at work notes now and then how far its pass has come, so that another
// process, or a successor of this actor, goes on near there instead of starting
// over. Whatever happens to a note, the pass does not wait for it: the worst is a
// partition that is looked at twice.

// load looks for a note before the first pass.
func (d *Device) load(c actor.Context) {
	if d.keeper.out {
		return
	}
	cursors, device := d.e.deps.Cursors, d.name
	d.keeper.run(c, d.ctx, func(ctx context.Context) (any, error) { return cursors.Load(ctx, device) })
}

// kept hears what has become of a look at the notes.
func (d *Device) kept(c actor.Context, a *answer) {
	if a.err != nil {
		d.log.Error().Err(a.err).Msg("cursor")
	}
	if d.unloaded {
		if found, _ := a.value.(*messages.Cursor); found != nil && a.err == nil && found.Reached <= plan.PastAll {
			d.cursor, d.interrupted, d.noted = *found, true, true
			d.cursor.Cycle %= 10
			d.log.Info().Time("begun", found.Begun).Int("done", found.Done).Int("jobs", found.Jobs).Msg("going on with an interrupted pass")
		}
		d.unloadedNow(c)
		return
	}
	if !d.open && !d.interrupted {
		d.forget(c)
	}
}

// unloadedNow begins the first pass.
func (d *Device) unloadedNow(c actor.Context) {
	if d.unloaded {
		d.unloaded = false
		d.begin(c)
	}
}

// note writes down where the pass stands.
func (d *Device) note(c actor.Context) {
	if d.stopping || d.e.opts.Once {
		return
	}
	if d.open {
		d.noting.set(c, d.e.deps.Clock, cursorInterval, &noteDue{})
	}
	if d.keeper.out {
		return
	}
	d.cursor.Reached = d.reached()
	at := d.cursor
	at.Stats = copyOf(at.Stats)
	d.noted = true
	cursors, device := d.e.deps.Cursors, d.name
	d.keeper.run(c, d.ctx, func(ctx context.Context) (any, error) { return nil, cursors.Save(ctx, device, at) })
}

// forget removes the note of a pass that has ended.
func (d *Device) forget(c actor.Context) {
	if d.stopping || !d.noted || d.keeper.out {
		return // when the note that is being written is done, this is called again
	}
	d.noted = false
	cursors, device := d.e.deps.Cursors, d.name
	d.keeper.run(c, d.ctx, func(ctx context.Context) (any, error) { return nil, cursors.Clear(ctx, device) })
}
