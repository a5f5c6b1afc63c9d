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
		if once {
			r.stats, r.err = e.Run(ctx)
			return
		}
		st.manage(ctx, r, e)
	}()
	return r, nil
}

// firstWait and longestWait are how long a manager waits before it starts an engine again.
const (
	firstWait   = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// manage runs an engine that is to go on for ever, as a service manager does: one that
// ends with an error is started again, later each time.
func (st *stage) manage(ctx context.Context, r *running, e lab.Engine) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		r.stats, r.err = e.Run(ctx)
		if r.err == nil || ctx.Err() != nil || errors.Is(r.err, context.Canceled) {
			return
		}
		st.diary.say(name(r.node), "the engine ended: %v; it is started again in %s", r.err, wait)
		st.tally.mu.Lock()
		st.tally.restarts++
		st.tally.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		var err error
		if e, err = r.node.Engine(false); err != nil {
			r.err = err
			return
		}
	}
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
		if st.options.Process != nil && r.node.Frozen() && !r.ended() {
			st.frozen = append(st.frozen, r) // it goes on when it is thawed
			continue
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			timer.Reset(0) // the others had their time, too
			if r.ended() {
				break
			}
			late = append(late, name(r.node))
			st.halt(r)
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

// ended tells whether the engine has.
func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// halt ends an engine, which it must bear whatever hangs.
func (st *stage) halt(r *running) {
	r.cancel()
	select {
	case <-r.done:
	case <-time.After(graceful):
		st.tally.gotStuck(fmt.Sprintf("the engine of %s does not end", name(r.node)))
	}
}

// haltAll ends the engines that go on by themselves, or could not end in their pass.
func (st *stage) haltAll() {
	for _, r := range st.frozen {
		r.node.Thaw()
		st.halt(r)
	}
	st.frozen = nil
	for number, r := range st.run {
		st.halt(r)
		delete(st.run, number)
	}
}

// halted ends all engines of a node.
func (st *stage) halted(n *lab.Node) {
	if r := st.run[n.Number]; r != nil {
		st.halt(r)
		delete(st.run, n.Number)
	}
	if st.pass != nil {
		for _, r := range st.pass.all {
			if r.node == n {
				st.halt(r)
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

// idle tells whether a pass was begun and all of it has ended, so that nothing more will
// happen.
func (st *stage) idle() bool {
	return st.pass != nil && len(st.run) == 0 && !slices.ContainsFunc(st.pass.all, func(r *running) bool { return !r.ended() })
}

// until waits until something is so; in vain it is stuck.
func (st *stage) until(ctx context.Context, what string, patience time.Duration, so func() bool) error {
	deadline := time.Now().Add(patience)
	for pause := 2 * time.Millisecond; !so(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) || st.idle() && !so() {
			st.diary.say("", "  waited in vain: %s", what)
			st.tally.gotStuck("waited in vain: " + what)
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
