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
	is      condition
	held    int           // calls that hang
	changed chan struct{} // closed by the next change
}

func newGate() *gate { return &gate{is: well, changed: make(chan struct{})} }

func (g *gate) become(c condition) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.is = c
	close(g.changed)
	g.changed = make(chan struct{})
}

// pass returns when the disk answers. It does not hear of interrupts: the kernel sends
// them when the caller gets a signal, and a sick disk would not care.
func (g *gate) pass() fuse.Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.is == hangs {
		changed := g.changed
		g.held++
		g.mu.Unlock()
		<-changed
		g.mu.Lock()
		g.held--
	}
	if g.is == fails {
		return fuse.EIO
	}
	return fuse.OK
}

// holds counts the calls that hang.
func (g *gate) holds() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}
