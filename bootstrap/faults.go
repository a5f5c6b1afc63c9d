package bootstrap

import (
	"context"
	"net"
	"reflect"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/fault/disk"
	"understudy/internal/fault/network"
	faultyrsync "understudy/internal/fault/rsync"
	"understudy/internal/store"
	"understudy/internal/transport/rsync"
)

// faults are those of the engine's settings, nil in a build that has none.
func (e *Engine) faults() *fault.Injector {
	if !FaultsBuilt {
		return nil
	}
	return e.settings.Faults
}

// disks makes the store of a configuration. With an injector its file system and its
// clock go wrong as the plan in force says; without one nothing stands between.
func (e *Engine) disks(cfg *config.Config) *store.Store { return faultyStore(cfg, e.faults(), e.log) }

func faultyStore(cfg *config.Config, faults *fault.Injector, log zerolog.Logger) *store.Store {
	options := storeOptions(cfg, log)
	if FaultsBuilt && faults != nil {
		options.FS = disk.New(store.OS(), faults, disk.Config{Root: cfg.Devices})
		options.Now = FaultyNow(faults)
	}
	return store.New(options)
}

// disturb puts the faults of a plan into an engine's parts; without an injector it does
// nothing.
func (e *Engine) disturb(d *actors.Deps) {
	if !FaultsBuilt || e.faults() == nil {
		return
	}
	d.Clock = faultyClock{FaultyNow(e.settings.Faults)}
	d.Middleware = append(d.Middleware, disturbed(e.settings.Faults))
}

// dialer connects to an address, as net.Dialer.DialContext does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// wire is how an engine with faults connects. Nil: there are none, and each transport
// connects as it likes best.
func (e *Engine) wire() dialer {
	if !FaultsBuilt || e.faults() == nil {
		return nil
	}
	// Every exchange has a deadline of its own: nothing is kept alive.
	return network.Dialer(e.faults(), (&net.Dialer{KeepAlive: -1}).DialContext)
}

// answers puts the answers of a plan before a way to connect, nil if that is nil.
func answers(faults *fault.Injector, under dialer) dialer {
	if !FaultsBuilt || faults == nil || under == nil {
		return under
	}
	return network.Answers(faults, under)
}

// starts puts the faults of Rsync before a way to start rsyncs.
func starts(faults *fault.Injector, own rsync.Spawner) rsync.Spawner {
	if !FaultsBuilt || faults == nil {
		return own
	}
	return faultyrsync.Spawner(faults, own)
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
			case h.Verb == "restart":
				panic(actors.Restart{Why: "fault plan: on " + message})
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
