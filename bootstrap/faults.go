package bootstrap

import (
	"reflect"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/fault/disk"
	"understudy/internal/store"
)

// disks makes the store of a configuration. With an injector its file system and its
// clock go wrong as the plan in force says; without one nothing stands between.
func (e *Engine) disks(cfg *config.Config) *store.Store {
	options := storeOptions(cfg, e.log)
	if e.settings.Faults != nil {
		options.FS = disk.New(store.OS(), e.settings.Faults, disk.Config{Root: cfg.Devices})
		options.Now = FaultyNow(e.settings.Faults)
	}
	return store.New(options)
}

// disturb puts the faults of a plan into an engine's parts; without an injector it does
// nothing.
func (e *Engine) disturb(d *actors.Deps) {
	if e.settings.Faults == nil {
		return
	}
	d.Clock = faultyClock{FaultyNow(e.settings.Faults)}
	d.Middleware = append(d.Middleware, disturbed(e.settings.Faults))
}

// FaultyNow tells the time as a plan's faults of Clock have it.
func FaultyNow(faults *fault.Injector) func() time.Time {
	return func() time.Time {
		now := time.Now()
		if h, ok := faults.At(&fault.Event{Place: fault.Clock}); ok {
			now = now.Add(h.Duration())
		}
		return now
	}
}

// faultyClock is a clock that jumps. What it calls back later keeps to the true time, as
// the kernel's timers do.
type faultyClock struct{ now func() time.Time }

func (c faultyClock) Now() time.Time { return c.now() }

func (c faultyClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// disturbed does to messages what a plan's faults of Actor say. The library's own messages
// are delayed, or panic, but are never lost, doubled or ended by: the engine has a right to
// them. The end of an actor is left alone.
func disturbed(faults *fault.Injector) actor.ReceiverMiddleware {
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, m *actor.MessageEnvelope) {
			switch m.Message.(type) {
			case *actor.Stopping, *actor.Stopped, *actor.Restarting:
				next(c, m)
				return
			}
			message, library := nameOf(m.Message)
			kind, _ := nameOf(c.Actor())
			e := fault.Event{Place: fault.Actor, Kind: strings.ToLower(kind), Actor: c.Self().Id, Message: message}
			h, ok := faults.At(&e)
			switch {
			case !ok:
			case h.Verb == "panic":
				panic("fault plan: panic on " + message)
			case h.Verb == "delay":
				faults.Delay(h, nil)
			case library:
			case h.Verb == "drop":
				return
			case h.Verb == "duplicate":
				next(c, m)
			case h.Verb == "stop":
				defer c.ActorSystem().Root.Stop(c.Self())
			}
			next(c, m)
		}
	}
}

// nameOf is the name of a type without its package, and whether it is the actor library's.
func nameOf(v any) (name string, library bool) {
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "", false
	}
	return t.Name(), strings.HasSuffix(t.PkgPath(), "protoactor-go/actor")
}
