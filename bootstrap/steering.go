package bootstrap

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"understudy/internal/observe/status"
	"understudy/messages"
)

var _ status.Engine = (*Engine)(nil)

// Report is the engine at this moment, as every view shows it.
func (e *Engine) Report(ctx context.Context) (*status.Report, error) {
	s, err := e.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	r := status.Of(s, status.Facts{Program: e.program()})
	r.Faults = e.faultsInForce(r.At)
	return r, nil
}

func (e *Engine) program() status.Program {
	host, _ := os.Hostname() // empty is honest, too
	e.mu.Lock()
	defer e.mu.Unlock()
	return status.Program{
		Name: "object-replicator", Version: Version(), Node: host, PID: os.Getpid(), Started: e.started.UTC(),
		Config: e.parts.cfg.Path,
	}
}

// Do carries an operator's command out. A *status.Refusal has changed nothing.
func (e *Engine) Do(ctx context.Context, c status.Command) (*status.Done, error) {
	switch c := c.(type) { // a plan may have made the supervisor hang: it is not asked
	case status.ApplyFaults:
		return e.applyFaults(c)
	case status.ClearFaults:
		return e.clearFaults()
	}
	s, err := e.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case status.PauseCommand:
		return e.pause(ctx, s, c)
	case status.ResumeCommand:
		return e.resume(ctx, s, c)
	case status.RunPass:
		return e.runPass(ctx, s, c)
	case status.Front:
		return e.front(ctx, s, c)
	case status.Retry:
		return e.retry(ctx, s, c)
	case status.SetLimits:
		return e.setLimits(ctx, c)
	case status.SetProfile:
		return e.setProfile(ctx, c)
	}
	return nil, status.Refuse("unknown command %T", c)
}

// steer has the course changed.
func (e *Engine) steer(ctx context.Context, subject string, change func(*messages.Course, time.Time) error) (*messages.Course, error) {
	answer, err := e.ask(ctx, &messages.Steer{Subject: subject, Change: change})
	if err != nil {
		return nil, err
	}
	steered, ok := answer.(*messages.Steered)
	if !ok {
		return nil, fmt.Errorf("steer the engine: %T is no answer", answer)
	}
	return steered.Course, steered.Err
}

func (e *Engine) pause(ctx context.Context, s *messages.Snapshot, c status.PauseCommand) (*status.Done, error) {
	if c.For < 0 {
		return nil, status.Refuse("a pause cannot last %s", c.For)
	}
	what, err := target(s, c.Scope, c.Name)
	if err != nil {
		return nil, err
	}
	subject := "pause " + what.String()
	if c.For > 0 {
		subject += " for " + c.For.String()
	}
	_, err = e.steer(ctx, subject, func(course *messages.Course, now time.Time) error {
		pause := messages.Pause{Since: now}
		if c.For > 0 {
			pause.Until = now.Add(c.For)
		}
		what.pause(course, pause)
		return nil
	})
	if err != nil {
		return nil, err
	}
	done := &status.Done{Devices: what.devices(s)}
	for _, d := range s.Devices {
		if slices.Contains(done.Devices, d.Device) {
			done.Count += len(d.Flights)
		}
	}
	done.Message = fmt.Sprintf("%s is paused; jobs still in flight: %d", what, done.Count)
	return done, nil
}

func (e *Engine) resume(ctx context.Context, s *messages.Snapshot, c status.ResumeCommand) (*status.Done, error) {
	what, err := target(s, c.Scope, c.Name)
	if err != nil {
		return nil, err
	}
	_, err = e.steer(ctx, "resume "+what.String(), func(course *messages.Course, _ time.Time) error {
		if !what.lift(course) {
			return status.Refuse("%s is not paused", what)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &status.Done{Message: what.String() + " goes on", Devices: what.devices(s)}, nil
}

func (e *Engine) runPass(ctx context.Context, s *messages.Snapshot, c status.RunPass) (*status.Done, error) {
	done := &status.Done{}
	err := e.toDevices(ctx, s, c.Device, func() any { return &messages.RunPass{} }, func(name string, f *messages.Forwarded) {
		if f.Began {
			done.Count++
			done.Devices = append(done.Devices, name)
		}
	})
	if err != nil {
		return nil, err
	}
	done.Message = fmt.Sprintf("passes begun: %d", done.Count)
	if done.Count == 0 {
		done.Message = "no pass begun: " + whyNoPass(s, c.Device)
	}
	return done, nil
}

func whyNoPass(s *messages.Snapshot, device string) string {
	for _, d := range s.Devices {
		switch {
		case device != "" && d.Device != device:
		case s.Course.PausedDevice(d.Device):
			return d.Device + " is paused"
		case messages.OutOfService(d.State):
			return d.Device + " is " + d.State + "; it is probed now"
		default:
			return d.Device + " is " + d.State + " already"
		}
	}
	return "there is no device"
}

func (e *Engine) front(ctx context.Context, s *messages.Snapshot, c status.Front) (*status.Done, error) {
	ring := (&messages.View{Policies: s.Policies}).Find(c.Policy)
	if ring == nil {
		return nil, unknown("no policy %d is replicated here", c.Policy)
	}
	most := ring.Partitions()
	if n := len(c.Partitions); n < 1 || n > 1000 {
		return nil, status.Refuse("%d partitions: name 1 to 1000", n)
	}
	for _, p := range c.Partitions {
		if p >= most {
			return nil, unknown("policy %d has no partition %d, only 0 to %d", c.Policy, p, most-1)
		}
	}
	done := &status.Done{}
	message := func() any { return &messages.Front{Policy: c.Policy, Partitions: slices.Clone(c.Partitions)} }
	err := e.toDevices(ctx, s, c.Device, message, func(name string, f *messages.Forwarded) {
		if f.Count > 0 {
			done.Devices = append(done.Devices, name)
		}
		done.Count += f.Count
	})
	done.Message = fmt.Sprintf("brought forward: %d; what did not wait goes first in the next pass", done.Count)
	return done, err
}

func (e *Engine) retry(ctx context.Context, s *messages.Snapshot, c status.Retry) (*status.Done, error) {
	done := &status.Done{}
	err := e.toDevices(ctx, s, c.Device, func() any { return &messages.Retry{} }, func(name string, f *messages.Forwarded) {
		if f.Count > 0 {
			done.Devices = append(done.Devices, name)
		}
		done.Count += f.Count
	})
	done.Message = fmt.Sprintf("partitions tried again: %d", done.Count)
	return done, err
}

// toDevices hands a message to one device, or to all, and tells each answer.
func (e *Engine) toDevices(
	ctx context.Context, s *messages.Snapshot, only string, message func() any, told func(string, *messages.Forwarded),
) error {
	found := false
	for _, d := range s.Devices {
		if only != "" && d.Device != only {
			continue
		}
		found = true
		answer, err := e.ask(ctx, &messages.ToDevice{Device: d.Device, Message: message()})
		if err != nil {
			return err
		}
		if f, ok := answer.(*messages.Forwarded); ok && f.Known {
			told(d.Device, f)
		}
	}
	if !found && only != "" {
		return unknown("no device %q here", only)
	}
	return nil
}

func unknown(format string, args ...any) *status.Refusal {
	r := status.Refuse(format, args...)
	r.Unknown = true
	return r
}

// held is what a pause is about.
type held struct {
	scope  status.Scope
	name   string
	policy int
}

func (h held) String() string {
	switch h.scope {
	case status.ScopeNode:
		return "the node"
	case status.ScopePolicy:
		return "policy " + strconv.Itoa(h.policy)
	}
	return string(h.scope) + " " + h.name
}

// target finds what an operator names.
func target(s *messages.Snapshot, scope status.Scope, name string) (held, error) {
	h := held{scope: scope, name: name}
	switch scope {
	case status.ScopeNode:
		return h, nil
	case status.ScopeDevice:
		if !slices.ContainsFunc(s.Devices, func(d messages.DeviceSnapshot) bool { return d.Device == name }) {
			return h, unknown("no device %q here", name)
		}
		return h, nil
	case status.ScopePolicy:
		for _, p := range s.Policies {
			if name == strconv.Itoa(p.Policy.Index) || name == p.Policy.Name {
				h.policy = p.Policy.Index
				return h, nil
			}
		}
		return h, unknown("no policy %q is replicated here", name)
	case status.ScopePeer:
		if !knownPeer(s, name) {
			return h, unknown("no ring names a peer %q; write it as ip, ip:port or ip:port/device of its replication address", name)
		}
		return h, nil
	}
	return h, status.Refuse("cannot pause a %q: only node, device, policy or peer", scope)
}

func knownPeer(s *messages.Snapshot, name string) bool {
	if _, paused := s.Course.Peers[name]; paused {
		return true // its ring may have changed
	}
	for _, p := range s.Policies {
		if p.Ring == nil {
			continue
		}
		for _, n := range p.Ring.Devices() {
			if slices.Contains(peerNames(n), name) {
				return true
			}
		}
	}
	return false
}

func (h held) pause(c *messages.Course, p messages.Pause) {
	switch h.scope {
	case status.ScopeNode:
		c.Node = &p
	case status.ScopeDevice:
		put(&c.Devices, h.name, p)
	case status.ScopePolicy:
		put(&c.Policies, h.policy, p)
	case status.ScopePeer:
		put(&c.Peers, h.name, p)
	}
}

func put[K comparable](m *map[K]messages.Pause, key K, p messages.Pause) {
	if *m == nil {
		*m = map[K]messages.Pause{}
	}
	(*m)[key] = p
}

// lift ends the pause and tells whether there was one.
func (h held) lift(c *messages.Course) (was bool) {
	switch h.scope {
	case status.ScopeNode:
		was, c.Node = c.Node != nil, nil
	case status.ScopeDevice:
		_, was = c.Devices[h.name]
		delete(c.Devices, h.name)
	case status.ScopePolicy:
		_, was = c.Policies[h.policy]
		delete(c.Policies, h.policy)
	case status.ScopePeer:
		_, was = c.Peers[h.name]
		delete(c.Peers, h.name)
	}
	return was
}

// devices are those that are concerned.
func (h held) devices(s *messages.Snapshot) (names []string) {
	for _, d := range s.Devices {
		if h.scope != status.ScopeDevice && h.scope != status.ScopeNode || h.scope == status.ScopeDevice && d.Device != h.name {
			continue
		}
		names = append(names, d.Device)
	}
	return names
}
