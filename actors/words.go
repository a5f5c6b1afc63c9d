package actors

import (
	"errors"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// inSwiftsWords marks an event whose message is one of Swift's own log lines:
// operators grep for them, so syslog shows the message alone, without fields.
func inSwiftsWords(e *zerolog.Event) *zerolog.Event { return e.Bool("swift", true) }

// levelOf is the level of a line about a peer. One that was silent a moment ago and
// has not been asked again is told once, by its breaker, not for every partition.
func levelOf(err error) zerolog.Level {
	var peer *messages.PeerError
	if errors.As(err, &peer) && peer.Untried {
		return zerolog.DebugLevel
	}
	return zerolog.ErrorLevel
}

// why is the end of Swift's error lines: its short text for common causes, else
// the error itself.
func why(err error) string {
	var peer *messages.PeerError
	if errors.As(err, &peer) && peer.Why != "" {
		return peer.Why
	}
	return err.Error()
}
