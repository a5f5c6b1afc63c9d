package server

import (
	wire "understudy/internal/swift/ssync"
)

// ackEvery is how many subrequests are acknowledged together: before that all they have
// changed is made durable, which costs the same for one and for many.
const ackEvery = 64

// acks are the acknowledgements of a session whose sender runs this program, too. A
// subrequest that was refused is acknowledged as well, with its status, and does not
// fail the session.
type acks struct {
	session *session
	pending []int // statuses, in order
}

// add notes the outcome of the next subrequest.
func (a *acks) add(status int) error {
	if a == nil {
		return nil
	}
	if a.pending = append(a.pending, status); len(a.pending) < ackEvery {
		return nil
	}
	return a.session.commit()
}

// commit makes durable what the session has stored so far, and acknowledges it.
func (n *session) commit() error {
	if err := n.disk(func() error { return n.objects.Commit(n.ctx) }); err != nil {
		return err
	}
	if n.acks == nil || len(n.acks.pending) == 0 {
		return nil
	}
	var lines []byte
	for _, status := range n.acks.pending {
		lines = wire.AppendAck(lines, status)
	}
	n.acks.pending = n.acks.pending[:0]
	if err := n.say(lines); err != nil {
		return &readError{"updates acks: " + err.Error()}
	}
	return nil
}
