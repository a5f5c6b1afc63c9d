package sim

import (
	"context"
	"sync"

	"understudy/actors"
	"understudy/internal/store"
	"understudy/messages"
)

// disks are a store as the actors know it.
type disks struct {
	*store.Store
	boot *boot
}

// Hold implements actors.Store.
func (d disks) Hold(ctx context.Context, p messages.Partition) (actors.Hold, error) {
	h, err := d.Store.Hold(ctx, p)
	if err != nil {
		return nil, err
	}
	return &hold{Handoff: h, turn: make(chan struct{}, 1), boot: d.boot, of: p}, nil
}

// hold lets one call in at a time: the handoff's own mutex would look to the bubble
// like work that goes on.
type hold struct {
	*store.Handoff
	turn chan struct{}
	boot *boot
	of   messages.Partition
}

func (h *hold) Remove(ctx context.Context, files, waiting messages.Files) (messages.Removal, error) {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	r, err := h.Handoff.Remove(ctx, files, waiting)
	h.boot.removed(h.of, r, err)
	return r, err
}

func (h *hold) Release() {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	h.boot.parting(h.of)
	h.Handoff.Release()
}

// nowhere takes the recon cache's entries.
type nowhere struct{}

func (nowhere) Update(context.Context, map[string]any) error { return nil }
func (nowhere) Keep(context.Context, string, []string) error { return nil }

// cursors outlive a node's lives.
type cursors struct {
	mu *sync.Mutex
	at map[string]messages.Cursor
}

func (c cursors) Load(_ context.Context, device string) (*messages.Cursor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.at[device]; ok {
		return &at, nil
	}
	return nil, nil
}

func (c cursors) Save(_ context.Context, device string, at messages.Cursor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[device] = at
	return nil
}

func (c cursors) Clear(_ context.Context, device string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.at, device)
	return nil
}
