package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"understudy/internal/inspect"
	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
)

// fixtures are the reports that the tests of package text have, too.
const fixtures = "../../internal/observe/text/testdata"

// scriptEngine shows a fixture and tells in its answers what it was asked to do.
type scriptEngine struct {
	mu     sync.Mutex
	report *status.Report
}

func (e *scriptEngine) Report(context.Context) (*status.Report, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.report, nil
}

func (e *scriptEngine) Do(_ context.Context, c status.Command) (*status.Done, error) {
	var length time.Duration
	switch c := c.(type) {
	case status.PauseCommand:
		length = c.For
		if c.Name == "sdz" {
			return nil, &status.Refusal{Unknown: true, Why: "there is no device sdz"}
		}
	case status.SetProfile:
		length = c.For
	}
	arguments, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return &status.Done{Message: fmt.Sprintf("%T %s for %s", c, arguments, length)}, nil
}

// tellDryRun tells in its answer what it was asked.
func tellDryRun(_ context.Context, ask status.DryRun) (any, error) {
	if ask.Device == "sdz" {
		return nil, &status.Refusal{Unknown: true, Why: "there is no device sdz"}
	}
	question, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	return &inspect.Pass{Left: []string{string(question)}, Devices: []inspect.PassDevice{{Device: "sda", Partitions: 2, InSync: 1, Updates: 1}}}, nil
}

func readFixture(name string) (*status.Report, error) {
	data, err := os.ReadFile(filepath.Join(fixtures, name+".json"))
	if err != nil {
		return nil, err
	}
	r := &status.Report{}
	return r, json.Unmarshal(data, r)
}

// engine FIXTURE SOCKET: an engine shows the fixture on the socket until the script
// ends, or until "engine stop".
func engineCommand() func(*testscript.TestScript, bool, []string) {
	stops := map[*testscript.TestScript]func(){}
	var mu sync.Mutex
	return func(ts *testscript.TestScript, neg bool, args []string) {
		mu.Lock()
		defer mu.Unlock()
		if len(args) == 1 && args[0] == "stop" {
			stops[ts]()
			return
		}
		if neg || len(args) != 2 {
			ts.Fatalf("usage: engine FIXTURE SOCKET | engine stop")
		}
		r, err := readFixture(args[0])
		ts.Check(err)
		s := control.New(control.Config{
			Engine: &scriptEngine{report: r}, Socket: ts.MkAbs(args[1]), Mode: 0o600, Log: zerolog.Nop(), DryRun: tellDryRun,
		})
		s.Open()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			s.Run(ctx)
			close(ended)
		}()
		stops[ts] = sync.OnceFunc(func() {
			cancel()
			<-ended
		})
		ts.Defer(stops[ts])
	}
}

// startEngine is an engine for a test in this process.
func startEngine(t *testing.T, fixture string) (e *scriptEngine, socket string, stop func()) {
	t.Helper()
	r, err := readFixture(fixture)
	if err != nil {
		t.Fatal(err)
	}
	e, socket = &scriptEngine{report: r}, filepath.Join(t.TempDir(), "s")
	stop = serveEngine(t, e, socket)
	return e, socket, stop
}

func serveEngine(t *testing.T, e status.Engine, socket string) (stop func()) {
	t.Helper()
	s := control.New(control.Config{Engine: e, Socket: socket, Mode: 0o600, Log: zerolog.Nop()})
	s.Open()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(ended)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// --watch goes on after the engine has gone and come back, and ends with the
// verdict that it saw last.
func TestWatchOutlivesTheEngine(t *testing.T) {
	e, socket, stop := startEngine(t, "healthy")
	v := &statusView{operated: &operated{socket: socket}, watch: true}
	out, errs := &logBuffer{}, &logBuffer{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.follow(ctx, out, errs) }()
	waitFor(t, out, "HEALTHY")
	stop()
	waitFor(t, errs, "trying again")
	r, err := readFixture("degraded")
	if err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	e.report = r
	e.mu.Unlock()
	serveEngine(t, e, socket)
	waitFor(t, out, "DEGRADED")
	cancel()
	if err := <-done; exitCode(err) != exitDegraded {
		t.Errorf("%d, %v", exitCode(err), err)
	}
}

// A device that there is not ends --watch.
func TestWatchOfNoDevice(t *testing.T) {
	_, socket, _ := startEngine(t, "healthy")
	v := &statusView{operated: &operated{socket: socket}, watch: true, devices: []string{"d9"}}
	err := v.follow(t.Context(), &logBuffer{}, &logBuffer{})
	var refusal *status.Refusal
	if !errors.As(err, &refusal) || !refusal.Unknown {
		t.Error(err)
	}
}

// --follow shows what comes, once.
func TestFollowEvents(t *testing.T) {
	e, socket, stop := startEngine(t, "degraded")
	out := &logBuffer{}
	done := make(chan error, 1)
	go func() { done <- (&operated{socket: socket}).followEvents(t.Context(), out) }()
	waitFor(t, out, "*actors.answer")
	e.mu.Lock()
	next := *e.report
	next.Events = append(next.Events[1:len(next.Events):len(next.Events)], status.Event{At: next.At, Kind: "birth", Subject: "a-new-one"})
	e.report = &next
	e.mu.Unlock()
	waitFor(t, out, "a-new-one")
	stop()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "events have ended") {
		t.Error(err)
	}
	if n := strings.Count(out.String(), "*actors.answer"); n != 1 {
		t.Errorf("shown %d times:\n%s", n, out)
	}
}

func waitFor(t *testing.T, out *logBuffer, text string) {
	t.Helper()
	for limit := time.Now().Add(patience); !strings.Contains(out.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("no %q in\n%s", text, out)
		}
	}
}

func TestByteSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "none": 0, "1000": 1000, "10B": 10, "1K": 1024, "10M": 10 << 20, "10MiB": 10 << 20, "10mib": 10 << 20, "10MB": 10_000_000,
		"1.5G": 3 << 29, "2T": 2 << 40, " 7 KB ": 7000,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "M", "-1", "1X", "1MM", "1MiBB", "NaN", "Inf", "1e30", "1 2", "10iB", "9999999T"} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{"30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "0.5d": 12 * time.Hour} {
		var s span
		if err := s.Set(text); err != nil || time.Duration(s) != want {
			t.Errorf("%q: %s, %v", text, time.Duration(s), err)
		}
	}
	for _, text := range []string{"", "5", "-3m", "0s", "d", "NaNd", "1e9d", "9999h"} {
		var s span
		if err := s.Set(text); err == nil {
			t.Errorf("%q is %s", text, time.Duration(s))
		}
	}
}

// Each state has its exit code.
func TestVerdicts(t *testing.T) {
	for state, want := range map[status.State]int{
		status.Healthy: exitOK, status.Paused: exitOK, status.Degraded: exitDegraded, status.Failing: exitFailing, "odd": exitFailed,
	} {
		if got := exitCode(verdictOf(&status.Report{Verdict: status.Verdict{State: state}})); got != want {
			t.Errorf("%s: %d, want %d", state, got, want)
		}
	}
}
