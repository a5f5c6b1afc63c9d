package remoteapi

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"understudy/bootstrap"
	"understudy/messages/controlpb"
)

func refuse(why string) error { return &bootstrap.Refusal{Why: why} }

var scopes = map[controlpb.Scope]bootstrap.Scope{
	controlpb.Scope_NODE: bootstrap.ScopeNode, controlpb.Scope_DEVICE: bootstrap.ScopeDevice,
	controlpb.Scope_POLICY: bootstrap.ScopePolicy, controlpb.Scope_PEER: bootstrap.ScopePeer,
}

// commandOf is the engine's form of a request; the engine judges its values.
func commandOf(m *controlpb.Request) (bootstrap.Command, error) {
	switch q := m.Command.(type) {
	case *controlpb.Request_RunPass:
		return bootstrap.RunPass{Device: q.RunPass.GetDevice()}, nil
	case *controlpb.Request_Pause:
		period, err := duration(q.Pause.GetFor())
		return bootstrap.PauseCommand{Scope: scopes[q.Pause.GetScope()], Name: q.Pause.GetName(), For: period}, err
	case *controlpb.Request_Resume:
		return bootstrap.ResumeCommand{Scope: scopes[q.Resume.GetScope()], Name: q.Resume.GetName()}, nil
	case *controlpb.Request_SetLimits:
		l := q.SetLimits
		if l == nil {
			return nil, refuse("no limits")
		}
		return bootstrap.SetLimits{
			Jobs: count(l.Jobs), DeviceJobs: count(l.DeviceJobs), Bytes: l.BytesPerSecond, DeviceBytes: l.DeviceBytesPerSecond,
			Hashes: l.HashesPerSecond, Tranquility: l.Tranquility, Reset: l.FromConfiguration, Persist: l.Persist,
		}, nil
	case *controlpb.Request_SetProfile:
		period, err := duration(q.SetProfile.GetFor())
		return bootstrap.SetProfile{Profile: q.SetProfile.GetProfile(), For: period, Persist: q.SetProfile.GetPersist()}, err
	case *controlpb.Request_Front:
		if q.Front.GetPolicy() > math.MaxInt32 {
			return nil, refuse("no such policy")
		}
		return bootstrap.Front{Device: q.Front.GetDevice(), Policy: int(q.Front.GetPolicy()), Partitions: q.Front.GetPartitions()}, nil
	case *controlpb.Request_Retry:
		return bootstrap.Retry{Device: q.Retry.GetDevice()}, nil
	}
	return nil, refuse("the request asks for nothing that is known here")
}

func count(n *int64) *int {
	if n == nil {
		return nil
	}
	i := int(max(math.MinInt32, min(math.MaxInt32, *n)))
	return &i
}

func duration(d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if err := d.CheckValid(); err != nil {
		return 0, refuse(err.Error())
	}
	if period := d.AsDuration(); period > 0 {
		return period, nil
	}
	return 0, refuse("a period must be longer than nothing")
}

func failed(code controlpb.Error_Code, why string) *controlpb.Reply {
	return &controlpb.Reply{
		Version: controlpb.Version,
		Answer:  &controlpb.Reply_Error{Error: &controlpb.Error{Code: code, Message: text(why)}},
	}
}

// failure is an error of the engine.
func failure(err error) *controlpb.Reply {
	var refusal *bootstrap.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Unknown:
		return failed(controlpb.Error_UNKNOWN_NAME, err.Error())
	case errors.As(err, &refusal):
		return failed(controlpb.Error_REFUSED, err.Error())
	}
	return failed(controlpb.Error_UNAVAILABLE, err.Error())
}

func doneOf(d *bootstrap.Done) *controlpb.Reply {
	return &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Done{Done: &controlpb.Done{
		Message: text(d.Message), Devices: texts(d.Devices), Count: int64(d.Count),
	}}}
}

func statusOf(r *bootstrap.Report, full bool) *controlpb.Reply {
	s := &controlpb.Status{
		At: timestamppb.New(r.At), Node: text(r.Program.Node), Program: text(r.Program.Version),
		State: string(r.Verdict.State), Summary: text(r.Verdict.Summary), Action: text(r.Verdict.Action),
		Paused: r.Paused != nil, Busy: int64(r.Busy()), Rounds: int64(r.Round.Complete),
		Jobs: r.Totals.Jobs, Failures: r.Totals.Failures, Bytes: r.Totals.Bytes,
	}
	for _, d := range r.Devices {
		s.Devices = append(s.Devices, &controlpb.Device{
			Name: text(d.Name), State: d.State, Disk: d.Disk, InService: d.InService, Paused: d.Paused != nil,
			Done: int64(d.Pass.Done), Jobs: int64(d.Pass.Jobs), InFlight: int64(len(d.InFlight)), Stuck: int64(d.Stuck), Why: text(d.Why),
		})
	}
	if full {
		document, err := json.Marshal(r)
		if err != nil {
			return failure(err)
		}
		s.ReportJson = document
	}
	return &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Status{Status: s}}
}

// text makes words of a ring or of an error fit for a message, which takes UTF-8 only.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func texts(all []string) (out []string) {
	for _, s := range all {
		out = append(out, text(s))
	}
	return out
}
