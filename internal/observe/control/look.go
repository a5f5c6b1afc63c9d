package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"understudy/internal/observe/status"
	"understudy/internal/observe/text"
)

// status answers with a Report, or with what "understudy status" prints of it.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	asText, err := wantsText(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	report, err := s.reports.get(r.Context())
	if err != nil {
		s.refuse(w, err)
		return
	}
	devices := r.URL.Query()["device"]
	if report, err = Only(report, devices); err != nil {
		s.refuse(w, err)
		return
	}
	if !asText {
		reply(w, http.StatusOK, report)
		return
	}
	shown := text.Status
	if len(devices) > 0 {
		shown = text.Device
	}
	send(w, http.StatusOK, "text/plain; charset=utf-8", []byte(shown(report, text.Style{})))
}

// Only is a report with no other devices than those named; with all when none is
// named. The error is a Refusal: there is no such device.
func Only(r *status.Report, devices []string) (*status.Report, error) {
	if len(devices) == 0 {
		return r, nil
	}
	only := *r // the report is shared: nothing below is changed
	only.Devices = nil
	for _, name := range devices {
		i := slices.IndexFunc(r.Devices, func(d status.Device) bool { return d.Name == name })
		if i < 0 {
			return nil, &status.Refusal{Unknown: true, Why: fmt.Sprintf("there is no device %q", name)}
		}
		if !slices.ContainsFunc(only.Devices, func(d status.Device) bool { return d.Name == name }) {
			only.Devices = append(only.Devices, r.Devices[i])
		}
	}
	return &only, nil
}

// settings answers with the limits in force and those of the configuration.
func (s *Server) settings(w http.ResponseWriter, r *http.Request) {
	report, err := s.reports.get(r.Context())
	if err != nil {
		s.refuse(w, err)
		return
	}
	reply(w, http.StatusOK, report.Settings)
}

// health answers 200 as long as the engine answers, whatever it says.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	report, err := s.reports.get(r.Context())
	if err != nil {
		s.refuse(w, err)
		return
	}
	send(w, http.StatusOK, "text/plain; charset=utf-8", []byte(string(report.Verdict.State)+"\n"))
}

// refuse answers with the code that an error has.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	var refusal *status.Refusal
	var bad *badRequest
	switch {
	case errors.As(err, &refusal) && refusal.Unknown:
		fail(w, http.StatusNotFound, refusal.Why)
	case errors.As(err, &refusal) && refusal.Forbidden:
		fail(w, http.StatusForbidden, refusal.Why)
	case errors.As(err, &refusal):
		fail(w, http.StatusBadRequest, refusal.Why)
	case errors.As(err, &bad):
		fail(w, http.StatusBadRequest, bad.why)
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusServiceUnavailable, "the engine does not answer in time")
	default:
		fail(w, http.StatusServiceUnavailable, err.Error())
	}
}
