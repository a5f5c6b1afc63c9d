package sick

import (
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// condition is how a FUSE disk answers.
type condition string

const (
	well  condition = "well"
	hangs condition = "hangs" // no call returns, interrupted or not, until the disk is well again
	fails condition = "fails" // every call fails with EIO
)

// gate is what every call of a FUSE disk passes first.
type gate struct {
	mu      sync.Mutex
	is      condition     // "" is well
	changed chan struct{} // closed by the next change
}

func (g *gate) become(c condition) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.is = c
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// pass returns when the disk answers. It does not hear of interrupts: the kernel sends
// them when the caller gets a signal, and a sick disk would not care.
func (g *gate) pass() fuse.Status {
	for {
		g.mu.Lock()
		is := g.is
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		switch is {
		case hangs:
			<-changed
		case fails:
			return fuse.EIO
		default:
			return fuse.OK
		}
	}
}
