package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"understudy/messages/controlpb"
)

// Rolling pauses one node after the other.
type Rolling struct {
	Ask      Asker
	Conf     *Conf
	For      time.Duration       // how long a node stays paused once it is quiet
	Quiet    time.Duration       // how long a node may take until its last job has ended
	Patience time.Duration       // of one question
	Look     time.Duration       // between two looks at a node that is to become quiet
	Tell     func(string)        // one line for a person
	Held     func(string)        // called with the name of a node that is quiet, before the wait; may be nil
	Names    func() []string     // nil: all nodes of Conf
	Wait     func(time.Duration) // nil: a wait that ends with the context; for tests
}

// resumeLimit is how long a node may take to be resumed when the caller gives up.
const resumeLimit = 10 * time.Second

// Run goes through the nodes: pause, wait until no job is in flight, wait For, resume. No
// two nodes are ever paused by it at the same time. A node that does not answer, does not
// become quiet, or has been paused by somebody else is left as it was and told; the others
// follow. When ctx ends, the node in hand is resumed. Should this process die, the pause
// ends by itself.
func (r *Rolling) Run(ctx context.Context) error {
	names := r.Conf.Names()
	if r.Names != nil {
		names = r.Names()
	}
	var errs []error
	for _, name := range names {
		if err := r.node(ctx, name, r.Conf.Nodes[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			r.Tell(fmt.Sprintf("%s: %v", name, err))
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	return errors.Join(errs...)
}

func (r *Rolling) node(ctx context.Context, name, address string) (err error) {
	before, err := statusOf(ctx, r.Ask, address, r.Patience)
	switch {
	case err != nil:
		return err
	case before.GetPaused():
		return errors.New("it is paused already, and left alone")
	}
	pause := &controlpb.Pause{Scope: controlpb.Scope_NODE, For: durationpb.New(r.Quiet + r.For + resumeLimit)}
	// From here on it may be paused, whatever the answer: one that got lost counts, too.
	defer func() { err = errors.Join(err, r.resume(ctx, address, err == nil)) }()
	if _, err := question(ctx, r.Ask, address, r.Patience, &controlpb.Request{Command: &controlpb.Request_Pause{Pause: pause}}); err != nil {
		return fmt.Errorf("pause it: %w", err)
	}
	r.Tell(fmt.Sprintf("%s: paused, jobs in flight: %d", name, before.GetBusy()))
	if err := r.quiet(ctx, address); err != nil {
		return err
	}
	r.Tell(fmt.Sprintf("%s: quiet for %s", name, r.For))
	if r.Held != nil {
		r.Held(name)
	}
	if err := r.wait(ctx, r.For); err != nil {
		return err
	}
	r.Tell(name + ": goes on")
	return nil
}

// quiet waits until a node has no job in flight, twice in a row: one that has just been
// given a slot may begin once more.
func (r *Rolling) quiet(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, r.Quiet)
	defer cancel()
	for calm := 0; ; {
		s, err := statusOf(ctx, r.Ask, address, r.Patience)
		switch {
		case err != nil:
			return fmt.Errorf("wait until it is quiet: %w", err)
		case s.GetBusy() > 0:
			calm = 0
		default:
			calm++
		}
		if calm == 2 {
			return nil
		}
		if r.wait(ctx, r.Look) != nil {
			return fmt.Errorf("it is not quiet within %s: jobs in flight: %d", r.Quiet, s.GetBusy())
		}
	}
}

// resume ends the pause, also when ctx has ended. A node that has ended it by itself is
// fine.
func (r *Rolling) resume(ctx context.Context, address string, must bool) error {
	ctx = context.WithoutCancel(ctx)
	m := &controlpb.Request{Command: &controlpb.Request_Resume{Resume: &controlpb.Resume{Scope: controlpb.Scope_NODE}}}
	_, err := question(ctx, r.Ask, address, resumeLimit, m)
	if err == nil || !must {
		return nil
	}
	s, again := statusOf(ctx, r.Ask, address, r.Patience)
	if again == nil && !s.GetPaused() {
		return nil
	}
	return fmt.Errorf("resume it (it goes on by itself): %w", err)
}

func (r *Rolling) wait(ctx context.Context, d time.Duration) error {
	if r.Wait != nil {
		r.Wait(d)
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
