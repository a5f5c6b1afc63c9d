package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/store"
	"understudy/messages"
)

// errNotRunning is the answer of an engine that Run does not run.
var errNotRunning = errors.New("the engine does not run")

// askTimeout bounds a question to the engine whose ctx has no deadline.
const askTimeout = 10 * time.Second

// Store is the disks as the engine works on them at the moment, for a server that
// shares them. A Reload makes others.
func (e *Engine) Store() *store.Store {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.parts.disks
}

// Alive asks the supervisor to answer through its mailbox. An error says that it
// does not work off its messages: the engine is wedged.
func (e *Engine) Alive(ctx context.Context) error {
	_, err := e.ask(ctx, &messages.Alive{})
	return err
}

// Snapshot is what the engine knows of itself at the moment.
func (e *Engine) Snapshot(ctx context.Context) (*messages.Snapshot, error) {
	answer, err := e.ask(ctx, &messages.GetSnapshot{})
	if err != nil {
		return nil, err
	}
	s, ok := answer.(*messages.Snapshot)
	if !ok {
		return nil, fmt.Errorf("ask the engine: %T is no snapshot", answer)
	}
	return s, nil
}

func (e *Engine) ask(ctx context.Context, question any) (any, error) {
	e.mu.Lock()
	system, root := e.system, e.root
	e.mu.Unlock()
	if root == nil {
		return nil, errNotRunning
	}
	wait := askTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = time.Until(deadline)
	}
	if wait <= 0 {
		return nil, fmt.Errorf("ask the engine: %w", context.DeadlineExceeded)
	}
	answer, err := system.Root.RequestFuture(root, question, wait).Result()
	if err != nil {
		return nil, fmt.Errorf("ask the engine: %w", err)
	}
	return answer, nil
}

// Reload makes the running engine go on with another configuration and with rings
// read anew, without dropping what is at work. An error leaves all as it was. What
// belongs to the process (user, log, priorities) does not change.
func (e *Engine) Reload(cfg *config.Config) error {
	e.reload.Lock()
	defer e.reload.Unlock()
	e.mu.Lock()
	running := e.parts
	e.mu.Unlock()
	next, err := e.assemble(cfg, running)
	if err != nil {
		return err
	}
	before, ok := e.swap(next)
	if !ok {
		next.close()
		return errNotRunning
	}
	before.retire(next)
	return nil
}

// swap puts parts in the place of those in use, unless the engine does not run.
func (e *Engine) swap(next *parts) (before *parts, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.root == nil {
		return nil, false
	}
	before, e.parts = e.parts, next
	e.closers = append(slices.DeleteFunc(e.closers, closer.unused), next.closers...)
	e.system.Root.Send(e.root, &actors.Reload{Deps: next.deps, Options: next.opts, View: next.view})
	return before, true
}
