package sim

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/actors"
	"understudy/messages"
)

// Edges are rare things that a campaign must have gone through, or it says nothing about
// them.
var Edges = []string{
	"breaker: opened", "breaker: tried", "breaker: opened again", "breaker: closed again",
	"crash: device backs off and is born again", "device: failing", "device: stalled", "device: unmounted",
	"full disk drained", "handoff given up", "handoff given up after an earlier failure", "handoff kept at the last moment",
	"late answer to an actor that is gone", "node died with a handoff proven and not removed yet", "ring changed in mid-push",
	"stuck call written off",
}

// watch is what is known of one life of a node for the counts of its edges. It is used
// under the lock of the world.
type watch struct {
	breakers map[string]string          // of silent peers, as last seen
	proven   map[messages.Partition]int // good pushes of a handoff while it is held
}

func newWatch() watch {
	return watch{breakers: map[string]string{}, proven: map[messages.Partition]int{}}
}

// glance looks at the breakers of all nodes, each few steps.
func (w *world) glance(step uint64) {
	if step%4 != 0 {
		return
	}
	for _, n := range w.nodes {
		if n.boot != nil {
			n.boot.glance()
		}
	}
}

// glance looks at the breakers of a node.
func (b *boot) glance() {
	now := map[string]string{}
	for _, s := range b.silent.States() {
		now[s.Lane+" "+s.Peer] = s.Breaker
	}
	for peer, state := range now {
		switch was := b.watch.breakers[peer]; {
		case was == "":
			b.node.world.edge("breaker: opened")
		case was == "open" && state == "half-open":
			b.node.world.edge("breaker: tried")
		case was == "half-open" && state == "open":
			b.node.world.edge("breaker: opened again")
		}
	}
	for peer, was := range b.watch.breakers {
		if now[peer] == "" && was == "half-open" {
			b.node.world.edge("breaker: closed again")
		}
	}
	b.watch.breakers = now
}

// hear counts what the engine tells on its event stream.
func (b *boot) hear(e any) {
	w := b.node.world
	switch m := e.(type) {
	case *messages.RoundEnded:
		w.mu.Lock()
		b.rounds++
		b.cut = m.Cut
		w.mu.Unlock()
	case *messages.Happened:
		switch {
		case m.Event.Kind == messages.EventBirth && b.node.device(m.Event.Actor) != nil:
			w.edge("crash: device backs off and is born again")
		case m.Event.Kind == messages.EventBirth:
			w.edge("crash: another actor is born again")
		}
	case *actor.DeadLetterEvent:
		if _, ok := m.Message.(interface{ IgnoreDeadLetterLogging() }); ok && m.PID != nil {
			w.edge("late answer to an actor that is gone")
		}
	}
}

// saw counts a message that an actor is about to get.
func (b *boot) saw(message any) {
	w := b.node.world
	switch m := message.(type) {
	case *messages.PartitionStuck:
		w.edge("stuck call written off")
	case *messages.DeviceState:
		if messages.OutOfService(m.State) {
			w.edge("device: " + m.State)
		}
	}
}

// pushed notes what became of a push of a handoff.
func (b *boot) pushed(job messages.SyncJob, ok bool) {
	if !job.Handoff || job.CheckOnly != nil {
		return
	}
	w := b.node.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if ok {
		b.watch.proven[job.Partition]++
	} else {
		b.node.failed[job.Partition]++
	}
}

// removed notes that a handoff was given up, or that something of it was not.
func (b *boot) removed(p messages.Partition, r messages.Removal, err error) {
	w := b.node.world
	if err != nil || r.Kept != "" {
		w.edge("handoff kept at the last moment")
	}
	w.mu.Lock()
	delete(b.watch.proven, p)
	failed := b.node.failed[p] > 0
	if r.Objects > 0 {
		delete(b.node.failed, p)
	}
	w.mu.Unlock()
	if r.Objects == 0 {
		return
	}
	w.edge("handoff given up")
	if failed {
		w.edge("handoff given up after an earlier failure")
	}
	if d := b.node.device(p.Device); d != nil && d.isFull() {
		w.edge("full disk drained")
	}
}

// died looks for what a node that has died was about to do.
func (b *boot) died() {
	w := b.node.world
	w.mu.Lock()
	n := len(b.watch.proven)
	w.mu.Unlock()
	if n > 0 {
		w.edge("node died with a handoff proven and not removed yet")
	}
}

// parting forgets the proofs of a handoff that is not held any more.
func (b *boot) parting(p messages.Partition) {
	w := b.node.world
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(b.watch.proven, p)
}

// watched counts what becomes of pushes.
type watched struct {
	actors.Transport
	boot *boot
}

func (t watched) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	w := t.boot.node.world
	version := w.ringVersion
	r, err := t.Transport.Sync(ctx, job)
	t.boot.pushed(job, err == nil && r.OK)
	switch {
	case w.ringVersion != version:
		w.edge("ring changed in mid-push")
	case r.OK:
		w.edge("push")
	default:
		w.edge("push failed")
	}
	return r, err
}
