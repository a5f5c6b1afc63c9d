package main

import (
	"errors"

	"understudy/internal/observe/status"
)

// Exit codes, the same for every command. docs/operations.md has this table.
const (
	exitOK       = 0
	exitFailed   = 1 // it did not work
	exitUsage    = 2 // the command line makes no sense
	exitDegraded = 3 // of status: some disk or peer is out of service
	exitFailing  = 4 // of status: no disk is in service
)

// usageError is a command line that no command could run with.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// verdict ends a command that worked, with what it has found. It has no words: they
// are printed already.
type verdict status.State

func (verdict) Error() string { return "" }

// verdictOf is nil for a node that needs nobody.
func verdictOf(r *status.Report) error {
	switch r.Verdict.State {
	case status.Healthy, status.Paused:
		return nil
	}
	return verdict(r.Verdict.State)
}

func exitCode(err error) int {
	var usage usageError
	var found verdict
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &found):
		return found.code()
	default:
		return exitFailed
	}
}

func (v verdict) code() int {
	switch status.State(v) {
	case status.Degraded:
		return exitDegraded
	case status.Failing:
		return exitFailing
	}
	return exitFailed // a state of a later engine
}
