package main

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/observe/status"
	"understudy/internal/observe/text"
	"understudy/messages"
)

// relayInterval is how often the daemon is asked for what has happened, and how long the
// agent waits for a daemon that is away.
const relayInterval = 2 * time.Second

// relay publishes what happens in the daemon as events of its stand-in here, which the
// facade passes on to who has subscribed, and notes which disks it has. What the daemon
// knew before is not told again.
func relay(ctx context.Context, system *actor.ActorSystem, d daemon) {
	var seen []status.Event
	first := true
	for ctx.Err() == nil {
		_ = d.Events(ctx, relayInterval, func(r *status.Report, err error) error { // a daemon that is away is asked again
			if err != nil {
				return err
			}
			d.disks.are(r.Devices)
			if first {
				first, seen = false, r.Events
				return nil
			}
			for _, e := range text.NewEvents(seen, r.Events) {
				system.EventStream.Publish(&messages.Happened{Engine: d.pid, Event: messages.SupervisionEvent{
					At: e.At, Kind: e.Kind, Actor: e.Subject, Directive: e.Directive, Why: e.Why,
				}})
			}
			seen = r.Events
			return nil
		})
		select {
		case <-ctx.Done():
		case <-time.After(relayInterval):
		}
	}
}
