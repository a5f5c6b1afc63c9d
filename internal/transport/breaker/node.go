package breaker

import (
	"context"

	"understudy/messages"
)

// Silent tells whether a node or the device of it that is meant was silent, and has
// not answered since, or is held.
func (s *Set) Silent(lane string, n messages.Node) bool {
	if s.isHeld(n) {
		return true
	}
	node, device := keys(lane, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range []key{node, device} {
		if b := s.known[k]; b != nil && b.open {
			return true
		}
	}
	return false
}

// Node puts a node's breaker before a call that is about many of its devices. That
// such a call is not answered says nothing: any of the devices may be the cause, and
// the next question about each of them finds out which.
func (s *Set) Node(ctx context.Context, lane string, n messages.Node, call func(context.Context) error) error {
	if s.isHeld(n) {
		return (failure{err: errHeld}).again(n)
	}
	n.Device = ""
	c, refused := s.enter(ctx, lane, n)
	if refused != nil {
		return refused.again(n)
	}
	defer c.leave()
	err := call(ctx)
	if v, quiet := ofError(err); v == answer || quiet == messages.Unreachable {
		c.judge(v, failure{silence: quiet, err: err})
	}
	return err
}
