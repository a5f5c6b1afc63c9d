package bootstrap

import (
	"context"
	"sync/atomic"

	"understudy/actors"
	"understudy/messages"
)

// Owns tells whether a device is this node's, by the rings as they were read last. It
// does not block.
func (e *Engine) Owns(device string) bool {
	view := e.sight.Load()
	if view == nil {
		return false
	}
	for _, p := range view.Policies {
		if p.Ring == nil {
			continue
		}
		for _, n := range p.Ring.Local() {
			if n.Device == device {
				return true
			}
		}
	}
	return false
}

// sighted is a Placement whose newest view others see, too.
type sighted struct {
	actors.Placement
	seen *atomic.Pointer[messages.View]
}

// Poll implements actors.Placement.
func (s sighted) Poll(ctx context.Context, last *messages.View) (*messages.View, error) {
	view, err := s.Placement.Poll(ctx, last)
	if view != nil {
		s.seen.Store(view)
	}
	return view, err
}
