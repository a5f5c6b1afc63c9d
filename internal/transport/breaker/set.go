// Package breaker keeps jobs from waiting for peers that are known to be silent. A
// peer that was silent is left alone for a while; then one job tries it, and what
// that one learns holds for all.
//
// A breaker refuses a call by repeating the failure that has opened it, so that its
// caller counts and reports what Swift would have counted and reported.
package breaker

import (
	"container/list"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// The lanes: what is known of a peer on one says nothing about the other.
const (
	Replicate = "replicate" // the object server: questions, and pushes by ssync
	Sync      = "sync"      // the rsync daemon
)

// mostKept bounds the breakers. They exist only for peers that were silent.
const mostKept = 65536

// Config is what a Set needs. Clock and Rand are required.
type Config struct {
	Clock Clock
	Rand  Rand
	Log   zerolog.Logger // its writer must not block
}

// Clock tells the time.
type Clock interface {
	Now() time.Time
}

// Rand is a source of random numbers, safe for concurrent use.
type Rand interface {
	IntN(n int) int
}

// Set is the breakers of all peers: on each lane one for a node and one for each
// device of it. A node that cannot be reached is the trouble of all its devices; a
// device that does not answer is its own, until a second one does not either.
// A Set is safe for concurrent use.
//
// Unlike Swift: which tries a silent peer again for every partition, and waits for
// it each time.
type Set struct {
	cfg  Config
	most int
	held atomic.Pointer[func(messages.Node) bool]

	mu    sync.Mutex
	known map[key]*breaker
	ages  list.List // of *breaker, the oldest first
}

// New makes a Set that knows nothing yet.
func New(cfg Config) *Set {
	return &Set{cfg: cfg, most: mostKept, known: map[key]*breaker{}}
}

// Hold lets no call through to the nodes that held names, as if they were silent, until
// it is called again. nil: none.
func (s *Set) Hold(held func(messages.Node) bool) { s.held.Store(&held) }

func (s *Set) isHeld(n messages.Node) bool {
	held := s.held.Load()
	return held != nil && *held != nil && (*held)(n)
}

// key names a node on a lane, or with device one device of it.
type key struct{ lane, node, device string }

func (k key) String() string {
	if k.device == "" {
		return k.node
	}
	return k.node + "/" + k.device
}

// keys are those of a node and of the device that is meant.
func keys(lane string, n messages.Node) (node, device key) {
	node = key{lane: lane, node: net.JoinHostPort(n.ReplicationIP, strconv.Itoa(n.ReplicationPort))}
	device = node
	device.device = n.Device
	return node, device
}

// get returns the breaker of a peer that was silent. The oldest has to go for one
// too many: it costs a time-out to know it again. s.mu is held.
func (s *Set) get(k key) *breaker {
	b := s.known[k]
	if b == nil {
		if s.ages.Len() >= s.most {
			s.drop(s.ages.Front().Value.(*breaker))
		}
		b = &breaker{key: k}
		b.age = s.ages.PushBack(b)
		s.known[k] = b
	}
	return b
}

// drop forgets a breaker. s.mu is held.
func (s *Set) drop(b *breaker) {
	s.ages.Remove(b.age)
	delete(s.known, b.key)
}
