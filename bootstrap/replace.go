package bootstrap

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"understudy/actors"
	"understudy/internal/observe/metrics"
)

// Parts are pieces of the engine that a host replaces by its own. Those that are nil are
// the engine's. Each is called from many goroutines at once, stays in use over a Reload,
// and is closed by the host.
type Parts struct {
	Clock     actors.Clock
	Rand      actors.Rand
	Placement actors.Placement // the rings; its view must name a ring at the first Poll
	Store     actors.Store     // the disks; needs Transport and Peers, for ours read the real ones
	Peers     actors.Peers     // questions to peers
	Transport actors.Transport // pushes to peers; silent peers are kept from it by our breaker
	Recon     actors.Recon
	Cursors   actors.Cursors
	Metrics   actors.Metrics   // beside Prometheus: events as they happen
	Admission actors.Admission // whom to ask before a push; nil: nobody, every push begins at once

	// Middleware runs in every actor of the tree, after the guard.
	Middleware []actor.ReceiverMiddleware
}

// fit refuses combinations that would work on two worlds at once.
func (p Parts) fit() error {
	if p.Store != nil && (p.Transport == nil || p.Peers == nil) {
		return errors.New("a replaced Store needs a Transport and Peers of its own: ours know nothing of its disks")
	}
	return nil
}

// lane tells whether the native lane may be used: it makes digests of our disks and asks
// the peers of our rings.
func (p Parts) lane() bool { return p.Store == nil && p.Peers == nil && p.Placement == nil }

// into puts the host's parts in the place of ours.
func (p Parts) into(d *actors.Deps) {
	replace(&d.Clock, p.Clock)
	replace(&d.Rand, p.Rand)
	replace(&d.Placement, p.Placement)
	replace(&d.Store, p.Store)
	replace(&d.Recon, p.Recon)
	replace(&d.Cursors, p.Cursors)
	replace(&d.Metrics, p.Metrics)
	replace(&d.Admission, p.Admission)
	d.Middleware = append(d.Middleware, p.Middleware...)
}

func replace[T any](ours *T, theirs T) {
	if any(theirs) != nil {
		*ours = theirs
	}
}

// register gives the engine's metrics to a registry until Close.
func (e *Engine) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	c := metrics.Collector(e)
	if err := r.Register(c); err != nil {
		return fmt.Errorf("register the metrics of the engine: %w", err)
	}
	e.closers = append(e.closers, closer{end: func() { r.Unregister(c) }})
	return nil
}
