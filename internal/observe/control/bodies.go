package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"understudy/internal/observe/status"
)

// body is a command as JSON: those of package status, with durations in seconds.
type body interface {
	command() (status.Command, error)
}

// bodies are the commands that are nothing but a command, by their path.
var bodies = map[string]func() body{
	"pause":   func() body { return &pauseBody{} },
	"resume":  func() body { return &resumeBody{} },
	"pass":    func() body { return &passBody{} },
	"front":   func() body { return &frontBody{} },
	"retry":   func() body { return &retryBody{} },
	"profile": func() body { return &profileBody{} },
}

type (
	pauseBody struct {
		status.PauseCommand
		For float64 `json:"for_seconds,omitempty"`
	}
	resumeBody  struct{ status.ResumeCommand }
	passBody    struct{ status.RunPass }
	frontBody   struct{ status.Front }
	retryBody   struct{ status.Retry }
	limitsBody  struct{ status.SetLimits }
	profileBody struct {
		status.SetProfile
		For float64 `json:"for_seconds,omitempty"`
	}
)

// bodyOf is the body and the path of a command.
func bodyOf(c status.Command) (path string, b any, err error) {
	switch c := c.(type) {
	case status.PauseCommand:
		return "/v1/pause", pauseBody{c, c.For.Seconds()}, nil
	case status.ResumeCommand:
		return "/v1/resume", c, nil
	case status.RunPass:
		return "/v1/pass", c, nil
	case status.Front:
		return "/v1/front", c, nil
	case status.Retry:
		return "/v1/retry", c, nil
	case status.SetLimits:
		return "/v1/limits", c, nil
	case status.SetProfile:
		return "/v1/profile", profileBody{c, c.For.Seconds()}, nil
	}
	return "", nil, fmt.Errorf("no path takes a %T", c)
}

// read reads a body. What is not a field of it, a second value, or more than
// bodyBytes are errors; nothing at all is {}.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytes))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &badRequest{fmt.Sprintf("the body is longer than %d bytes", large.Limit)}
	}
	if err != nil {
		return &badRequest{"the body ends early"}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &badRequest{"the body is no such command: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &badRequest{"something follows the command"}
	}
	return nil
}

const longest = 366 * 24 * time.Hour // that anything may be asked for

func duration(seconds float64) (time.Duration, error) {
	if math.IsNaN(seconds) || seconds < 0 || seconds > longest.Seconds() {
		return 0, status.Refuse("for_seconds must be from 0 to %.0f", longest.Seconds())
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func (b *pauseBody) command() (c status.Command, err error) {
	b.PauseCommand.For, err = duration(b.For)
	if err == nil {
		err = scope(b.Scope, b.Name)
	}
	return b.PauseCommand, err
}

func (b *resumeBody) command() (status.Command, error) {
	return b.ResumeCommand, scope(b.Scope, b.Name)
}

func scope(s status.Scope, name string) error {
	switch s {
	case status.ScopeNode:
		if name != "" {
			return status.Refuse("the scope node has no name")
		}
		return nil
	case status.ScopeDevice, status.ScopePolicy, status.ScopePeer:
		if name == "" {
			return status.Refuse("the scope %s needs a name", s)
		}
		return nil
	}
	return status.Refuse("scope is node, device, policy or peer, not %q", s)
}

func (b *passBody) command() (status.Command, error)  { return b.RunPass, nil }
func (b *retryBody) command() (status.Command, error) { return b.Retry, nil }

const mostPartitions = 1000

func (b *frontBody) command() (status.Command, error) {
	if n := len(b.Partitions); n < 1 || n > mostPartitions {
		return nil, status.Refuse("partitions must be 1 to %d, not %d", mostPartitions, n)
	}
	if b.Policy < 0 {
		return nil, status.Refuse("policy must be an index, not %d", b.Policy)
	}
	return b.Front, nil
}

func (b *limitsBody) command() (status.Command, error) {
	c := b.SetLimits
	switch {
	case c.Jobs != nil && *c.Jobs < 1:
		return nil, status.Refuse("jobs must be at least 1, not %d", *c.Jobs)
	case c.DeviceJobs != nil && *c.DeviceJobs < 0:
		return nil, status.Refuse("device_jobs must not be negative")
	case c.Bytes != nil && *c.Bytes < 0 || c.DeviceBytes != nil && *c.DeviceBytes < 0:
		return nil, status.Refuse("bytes_per_second must not be negative")
	case c.Hashes != nil && !atLeastZero(*c.Hashes):
		return nil, status.Refuse("hashes_per_second must not be negative")
	case c.Tranquility != nil && !atLeastZero(*c.Tranquility):
		return nil, status.Refuse("tranquility must not be negative")
	case c == status.SetLimits{}:
		return nil, status.Refuse("no limit is named")
	}
	return c, nil
}

func atLeastZero(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }

// Profiles are the names of sets of limits.
var Profiles = []string{"client-first", "balanced", "drain"}

func (b *profileBody) command() (c status.Command, err error) {
	if b.Profile == "" {
		return nil, status.Refuse("no profile is named")
	}
	b.SetProfile.For, err = duration(b.For)
	return b.SetProfile, err
}
