package actors

import (
	"errors"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// inSwiftsWords marks an event whose message is one of Swift's own log lines:
// operators grep for them, so syslog shows the message alone, without fields.
func inSwiftsWords(e *zerolog.Event) *zerolog.Event { return e.Bool("swift", true) }

// why is the end of Swift's error lines: its short text for common causes, else
// the error itself.
func why(err error) string {
	var peer *messages.PeerError
	if errors.As(err, &peer) && peer.Why != "" {
		return peer.Why
	}
	return err.Error()
}
