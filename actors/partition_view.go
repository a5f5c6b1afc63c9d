package actors

import (
	"errors"
	"fmt"

	"understudy/messages"
)

// What an operator sees of a job: its phase, and why it failed.

// enter notes that the job has come to a phase.
func (p *Partition) enter(phase string) {
	p.job.Flight.Enter(phase, p.node, p.deps.Clock.Now())
}

// mostTroubles bounds what one job remembers: one for each peer, in an ordinary ring.
const mostTroubles = 8

func (p *Partition) trouble(cause messages.Cause, err error) {
	if p.deps.Store.Ill(err) {
		cause = messages.CauseDisk
	}
	if len(p.troubles) < mostTroubles {
		p.troubles = append(p.troubles, messages.Trouble{Cause: cause, Text: err.Error()})
	}
}

// pushed notes a push that did not succeed; its transport has logged why.
func (p *Partition) pushed(ok bool) {
	if !ok {
		p.trouble(messages.CausePush, fmt.Errorf("push to %s did not succeed", p.node))
	}
}

func causeOf(err error) messages.Cause {
	var peer *messages.PeerError
	var status *messages.StatusError
	var device *messages.DeviceError
	var file *messages.NotDirectoryError
	switch {
	case errors.As(err, &peer), errors.As(err, &status):
		return messages.CausePeer
	case errors.As(err, &device), errors.As(err, &file):
		return messages.CauseDisk
	case errors.Is(err, ErrPartitionLocked):
		return messages.CauseLocked
	case errors.Is(err, errStuck):
		return messages.CauseStuck
	}
	return messages.CauseOther
}
