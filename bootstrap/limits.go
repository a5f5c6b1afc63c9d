package bootstrap

import (
	"context"
	"fmt"
	"strings"
	"time"

	"understudy/internal/observe/status"
	"understudy/messages"
)

// The bounds of what may be asked for. A rate below leastBytes would make peers wait for
// longer than they do.
const (
	leastBytes  = 10_000
	mostJobs    = 10_000
	mostTranq   = 100
	drainPeriod = time.Hour
)

func (e *Engine) setLimits(ctx context.Context, c status.SetLimits) (*status.Done, error) {
	if err := sensible(c); err != nil {
		return nil, err
	}
	subject := "limits " + named(c)
	course, err := e.steer(ctx, subject, func(course *messages.Course, _ time.Time) error {
		l := course.Limits
		if c.Reset {
			l = course.Config
		}
		set(&l.Jobs, c.Jobs)
		set(&l.DeviceJobs, c.DeviceJobs)
		set(&l.Bytes, c.Bytes)
		set(&l.DeviceBytes, c.DeviceBytes)
		set(&l.Hashes, c.Hashes)
		set(&l.Tranquility, c.Tranquility)
		course.Limits, course.Profile, course.Until, course.Stored = l, messages.ProfileCustom, time.Time{}, c.Persist
		if l == course.Config {
			course.Profile, course.Stored = messages.ProfileBalanced, false
		}
		return nil
	})
	return e.settled(course, err, subject)
}

// named are the limits that a command sets, for a person.
func named(c status.SetLimits) string {
	var words []string
	if c.Reset {
		words = append(words, "of the configuration")
	}
	words = say(words, "jobs", c.Jobs)
	words = say(words, "device_jobs", c.DeviceJobs)
	words = say(words, "bytes_per_second", c.Bytes)
	words = say(words, "device_bytes_per_second", c.DeviceBytes)
	words = say(words, "hashes_per_second", c.Hashes)
	words = say(words, "tranquility", c.Tranquility)
	return strings.Join(words, ", ")
}

func say[T any](words []string, name string, value *T) []string {
	if value == nil {
		return words
	}
	return append(words, fmt.Sprintf("%s %v", name, *value))
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// sensible refuses limits that the engine could not work with.
func sensible(c status.SetLimits) error {
	bytes := func(what string, n *int64) error {
		if n != nil && *n != 0 && *n < leastBytes {
			return status.Refuse("%s must be 0 or at least %d, not %d", what, leastBytes, *n)
		}
		return nil
	}
	switch {
	case c.Jobs != nil && (*c.Jobs < 1 || *c.Jobs > mostJobs):
		return status.Refuse("jobs must be 1 to %d, not %d; to stop all work pause the node", mostJobs, *c.Jobs)
	case c.DeviceJobs != nil && (*c.DeviceJobs < 0 || *c.DeviceJobs > mostJobs):
		return status.Refuse("device_jobs must be 0 to %d, not %d", mostJobs, *c.DeviceJobs)
	case c.Hashes != nil && !(*c.Hashes == 0 || *c.Hashes >= 0.1):
		return status.Refuse("hashes_per_second must be 0 or at least 0.1, not %v", *c.Hashes)
	case c.Tranquility != nil && !(*c.Tranquility >= 0 && *c.Tranquility <= mostTranq):
		return status.Refuse("tranquility must be 0 to %d, not %v", mostTranq, *c.Tranquility)
	}
	if err := bytes("bytes_per_second", c.Bytes); err != nil {
		return err
	}
	return bytes("device_bytes_per_second", c.DeviceBytes)
}

func (e *Engine) setProfile(ctx context.Context, c status.SetProfile) (*status.Done, error) {
	if c.For < 0 {
		return nil, status.Refuse("a profile cannot last %s", c.For)
	}
	course, err := e.steer(ctx, "profile "+c.Profile, func(course *messages.Course, now time.Time) error {
		l, ok := profile(c.Profile, course.Config)
		if !ok {
			return unknown("no profile %q: there are %s, %s and %s", c.Profile,
				messages.ProfileClientFirst, messages.ProfileBalanced, messages.ProfileDrain)
		}
		course.Limits, course.Profile, course.Until = l, c.Profile, time.Time{}
		course.Stored = c.Persist && c.Profile != messages.ProfileBalanced
		period := c.For
		if period == 0 && c.Profile == messages.ProfileDrain {
			period = drainPeriod
		}
		if period > 0 && c.Profile != messages.ProfileBalanced {
			course.Until = now.Add(period)
		}
		return nil
	})
	return e.settled(course, err, "profile "+c.Profile)
}

// profile is a set of limits by name, made from those of the configuration.
func profile(name string, l messages.Limits) (messages.Limits, bool) {
	switch name {
	case messages.ProfileBalanced:
	case messages.ProfileClientFirst: // one job a disk, which rests for longer than it works
		l.DeviceJobs, l.Tranquility = 1, max(2, l.Tranquility)
	case messages.ProfileDrain: // handoffs first, at full speed
		l.HandoffsFirst, l.Tranquility, l.Bytes, l.DeviceBytes, l.Hashes, l.DeviceJobs = true, 0, 0, 0, 0, 0
	default:
		return l, false
	}
	return l, true
}

// settled keeps what is to outlive a restart and tells what is in force.
func (e *Engine) settled(course *messages.Course, err error, what string) (*status.Done, error) {
	if err != nil {
		return nil, err
	}
	done := &status.Done{Message: what + " in force"}
	if !course.Until.IsZero() {
		done.Message += " until " + course.Until.UTC().Format(time.RFC3339)
	}
	e.mu.Lock()
	path := settingsPath(e.parts.cfg)
	e.mu.Unlock()
	if err := keepSettings(path, course); err != nil {
		return nil, fmt.Errorf("%s, but not persisted: %w", done.Message, err)
	}
	return done, nil
}
