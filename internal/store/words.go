package store

import "github.com/rs/zerolog"

// swiftsWords marks an event whose message is one of Swift's own log lines, which
// operators grep for: syslog shows it without its fields.
func swiftsWords(e *zerolog.Event) *zerolog.Event { return e.Bool("swift", true) }
