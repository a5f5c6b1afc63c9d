package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"understudy/internal/lab"
	"understudy/internal/scenario"
	"understudy/messages"
)

// running is one engine at work.
type running struct {
	node   *lab.Node
	cancel context.CancelFunc
	done   chan struct{}
	stats  messages.Stats // after done
	err    error
}

// passing is one pass of some nodes, all at the same time.
type passing struct{ all []*running }

func (p *passing) cancel() {
	for _, r := range p.all {
		r.cancel()
	}
}

// name is what scenarios call a node.
func name(n *lab.Node) string { return lab.WorldNode{Number: n.Number}.Name() }

// chosen are the nodes that a pattern fits.
func (st *stage) chosen(pattern string) (all []*lab.Node) {
	for _, n := range st.cluster.Nodes {
		if scenario.Match(pattern, name(n)) {
			all = append(all, n)
		}
	}
	return all
}

// start starts an engine.
func (st *stage) start(ctx context.Context, n *lab.Node, once bool) (*running, error) {
	e, err := n.Engine(once)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &running{node: n, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.stats, r.err = e.Run(ctx)
	}()
	return r, nil
}

// beginPass starts a pass of the nodes that are up and have no engine that goes on by
// itself.
func (st *stage) beginPass(ctx context.Context, pattern string) error {
	if st.pass != nil {
		return fmt.Errorf("%w: a pass is under way, it has to end first", ErrScenario)
	}
	st.beginPlay(ctx)
	p := &passing{}
	for _, n := range st.chosen(pattern) {
		if !n.Up() || n.Frozen() || st.run[n.Number] != nil {
			continue
		}
		r, err := st.start(ctx, n, true)
		if err != nil {
			p.cancel()
			return err
		}
		p.all = append(p.all, r)
	}
	st.pass = p
	st.tally.passes++
	return nil
}

// endPass waits for the pass, and writes off what does not end in time.
func (st *stage) endPass(ctx context.Context, within time.Duration) error {
	if st.pass == nil {
		return nil
	}
	all := st.pass.all
	st.pass = nil
	timer := time.NewTimer(within)
	defer timer.Stop()
	var sum messages.Stats
	var late []string
	for _, r := range all {
		select {
		case <-r.done:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			timer.Reset(0) // the others had their time, too
			late = append(late, name(r.node))
			if err := st.halt(r); err != nil {
				return err
			}
		}
		if errors.Is(r.err, context.Canceled) { // killed, or written off
			continue
		}
		if r.err != nil {
			st.diary.say(name(r.node), "the run ended: %v", r.err)
			st.tally.gotStuck(fmt.Sprintf("the run of %s ended with an error", name(r.node)))
		}
		sum.Add(r.stats)
	}
	if len(late) > 0 {
		st.tally.gotStuck(fmt.Sprintf("a pass of %s did not end within %s", strings.Join(late, ", "), within))
	}
	st.tally.removed += int(sum.Remove)
	st.tally.pushed += int(sum.Rsync)
	st.tally.failures += int(sum.Failure)
	st.diary.say("", "  pass: %d partitions, %d pushes, %d handoffs given up, %d failures", sum.Attempted, sum.Rsync, sum.Remove, sum.Failure)
	return nil
}

// halt ends an engine, which it must bear whatever hangs.
func (st *stage) halt(r *running) error {
	r.cancel()
	select {
	case <-r.done:
	case <-time.After(graceful):
		st.tally.gotStuck(fmt.Sprintf("the engine of %s does not end", name(r.node)))
	}
	return nil
}

// haltAll ends the engines that go on by themselves.
func (st *stage) haltAll() {
	for number, r := range st.run {
		_ = st.halt(r)
		delete(st.run, number)
	}
}

// halted ends all engines of a node.
func (st *stage) halted(n *lab.Node) {
	if r := st.run[n.Number]; r != nil {
		_ = st.halt(r)
		delete(st.run, n.Number)
	}
	if st.pass != nil {
		for _, r := range st.pass.all {
			if r.node == n {
				_ = st.halt(r)
			}
		}
	}
}

// runOn starts engines that go on by themselves.
func (st *stage) runOn(ctx context.Context, pattern string) error {
	st.beginPlay(ctx)
	for _, n := range st.chosen(pattern) {
		if !n.Up() || st.run[n.Number] != nil {
			continue
		}
		r, err := st.start(ctx, n, false)
		if err != nil {
			return err
		}
		st.run[n.Number] = r
	}
	return nil
}

// settle runs passes, or waits while engines run by themselves, until nothing is left to
// be done.
func (st *stage) settle(ctx context.Context, s scenario.Step) error {
	begun := time.Now()
	left := func() time.Duration { return max(time.Millisecond, within(s)-time.Since(begun)) }
	if len(st.run) > 0 {
		if err := st.endPlay(ctx); err != nil {
			return err
		}
		return st.until(ctx, "all is where it belongs", left(), st.settled)
	}
	for range s.Count {
		if err := st.beginPass(ctx, ""); err != nil {
			return err
		}
		if err := st.endPass(ctx, left()); err != nil {
			return err
		}
		if err := st.endPlay(ctx); err != nil {
			return err
		}
		if st.settled() {
			st.diary.say("", "  all is where it belongs")
			return nil
		}
	}
	st.diary.say("", "  not all is where it belongs after %d passes", s.Count)
	return nil
}

// settled tells whether nothing is left that a replicator should do.
func (st *stage) settled() (quiet bool) {
	st.clients.Still(func() {
		found, err := st.world.Judge(st.options.Dir)
		quiet = err == nil && !slices.ContainsFunc(found, func(f lab.Finding) bool {
			return f.Kind == lab.Short || f.Kind == lab.Left || f.Kind == lab.Stale || f.Kind == lab.Resurrected
		})
	})
	return quiet
}

// until waits until something is so; in vain it is stuck.
func (st *stage) until(ctx context.Context, what string, patience time.Duration, so func() bool) error {
	deadline := time.Now().Add(patience)
	for pause := 2 * time.Millisecond; !so(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			st.diary.say("", "  waited in vain: %s", what)
			st.tally.gotStuck(fmt.Sprintf("waited %s in vain: %s", patience, what))
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}
