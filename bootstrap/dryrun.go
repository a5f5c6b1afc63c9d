package bootstrap

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/inspect"
	"understudy/internal/observe/status"
	"understudy/internal/store"
	"understudy/messages"
)

// lookTimeout bounds a look at a disk that a dry run takes.
const lookTimeout = 10 * time.Second

// DryRun tells what a pass would push and remove now, and does nothing of it: by the
// engine's own configuration and with its circuit breakers, but with rings read anew
// and disks on which nothing changes. A *status.Refusal names a device or a policy that
// there is not.
func (e *Engine) DryRun(ctx context.Context, ask status.DryRun) (*inspect.Pass, error) {
	if own := e.settings.Parts; own.Store != nil || own.Placement != nil {
		return nil, status.Refuse("a dry run reads disks and rings itself, and this engine has a store or placement of its host's")
	}
	e.mu.Lock()
	p := e.parts
	e.mu.Unlock()
	view, err := NewPlacement(p.placement.config).Poll(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	rings := view.Policies
	if ask.Policy != nil {
		rings = slices.DeleteFunc(slices.Clone(rings), func(r messages.PolicyRing) bool { return r.Policy.Index != *ask.Policy })
		if len(rings) == 0 {
			return nil, &status.Refusal{Unknown: true, Why: fmt.Sprintf("there is no policy %d that is replicated", *ask.Policy)}
		}
	}
	run := &inspect.DryRun{
		Explainer: &inspect.Explainer{
			Store: store.New(store.Options{
				Root: p.cfg.Devices, MountCheck: p.cfg.MountCheck, ReclaimAge: p.cfg.DiskFile.ReclaimAge,
				Log: zerolog.Nop(), FS: inspect.ReadOnly(store.OS()),
			}),
			Timeout: lookTimeout, CheckRemote: p.opts.CheckRemote, HandoffDelete: p.opts.HandoffDelete, HandoffSettle: p.opts.HandoffSettle,
			Ask: inspect.Patient(p.deps.Peers.Hashes),
		},
		Rings: rings, Limit: ask.Limit,
	}
	if ask.Device != "" {
		run.Devices = []string{ask.Device}
	}
	if len(ask.Partitions) > 0 {
		run.Wanted = func(_ int, part uint32) bool { return slices.Contains(ask.Partitions, part) }
	}
	pass, err := run.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	if ask.Device != "" && len(pass.Devices) == 0 {
		return nil, &status.Refusal{Unknown: true, Why: fmt.Sprintf("there is no device %q", ask.Device)}
	}
	return pass, nil
}
