package control

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"understudy/internal/observe/status"
)

// patience is not what is measured: a test that waits so long has failed.
const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// fakeEngine reports what it is told to, and keeps the commands.
type fakeEngine struct {
	mu       sync.Mutex
	report   *status.Report
	fails    error
	asked    int
	hangs    chan struct{} // not nil: neither method returns before it is closed, whatever ctx says
	commands []status.Command
	answer   func(status.Command) (*status.Done, error)
}

func newFake() *fakeEngine {
	return &fakeEngine{report: &status.Report{
		Version: status.Version, At: noon,
		Verdict: status.Verdict{State: status.Healthy, Summary: "Both disks are in service."},
		Devices: []status.Device{{Name: "sda", State: "running", InService: true}, {Name: "sdb", State: "resting", InService: true}},
	}}
}

func (e *fakeEngine) Report(context.Context) (*status.Report, error) {
	e.mu.Lock()
	e.asked++
	report, err, hangs := e.report, e.fails, e.hangs
	e.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

func (e *fakeEngine) Do(_ context.Context, c status.Command) (*status.Done, error) {
	e.mu.Lock()
	e.commands = append(e.commands, c)
	answer, hangs, n := e.answer, e.hangs, len(e.commands)
	e.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	if answer == nil {
		return &status.Done{Message: "done", Count: n}, nil
	}
	return answer(c)
}

func (e *fakeEngine) set(change func(*fakeEngine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

func (e *fakeEngine) last() status.Command {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.commands) == 0 {
		return nil
	}
	return e.commands[len(e.commands)-1]
}

// running is a server that answers on a socket and, perhaps, a port.
type running struct {
	*Server
	socket string
	client *Client
	stop   func()
}

func start(t *testing.T, e status.Engine, change func(*Config)) *running {
	t.Helper()
	cfg := Config{
		Engine: e, Socket: filepath.Join(t.TempDir(), "control.sock"), Mode: 0o600, Log: zerolog.Nop(),
		limits: limits{tick: 10 * time.Millisecond, retry: 10 * time.Millisecond},
	}
	if change != nil {
		change(&cfg)
	}
	s := New(cfg)
	s.Open()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(ended)
	}()
	r := &running{Server: s, socket: cfg.Socket, client: NewClient(cfg.Socket)}
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(r.stop)
	return r
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not in %s", what, patience)
		}
	}
}

var errBroken = errors.New("broken")
