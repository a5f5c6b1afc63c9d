package remoteapi

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"understudy/bootstrap"
	"understudy/internal/certtest"
)

const enough = 20 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// the library's throttle of dead letters lives for a second
		goleak.IgnoreTopFunction("github.com/asynkron/protoactor-go/actor.NewDeadLetter.NewThrottle.func4.1"))
}

func newAuthority(t *testing.T) *certtest.Authority { return certtest.New(t) }

// starts is to be called by a test that makes systems of a process reachable, of which
// there are several then. The library's Start writes a global of grpc without a lock while
// grpc reads it for the system before: nothing comes of it, but the race detector tells.
// So under it there is one such test (TestHostileMessages); "make unit" runs all of them
// without it, too.
func starts(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("more than one Start in a process is a race of the library: run without -race")
	}
}

// fake is an engine that notes what it is told.
type fake struct {
	pid *actor.PID

	mu     sync.Mutex
	told   []bootstrap.Command
	report *bootstrap.Report
	err    error
	hold   chan struct{} // nil, or what Report waits for
}

func (f *fake) PID() *actor.PID { return f.pid }

func (f *fake) Report(ctx context.Context) (*bootstrap.Report, error) {
	f.mu.Lock()
	hold, report, err := f.hold, f.report, f.err
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return report, err
}

func (f *fake) Do(_ context.Context, c bootstrap.Command) (*bootstrap.Done, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, c)
	switch p := c.(type) {
	case bootstrap.PauseCommand:
		if p.Name == "nope" {
			return nil, &bootstrap.Refusal{Unknown: true, Why: "no device \"nope\" here"}
		}
	case bootstrap.Retry:
		panic("a bug of the engine")
	}
	if f.err != nil {
		return nil, f.err
	}
	return &bootstrap.Done{Message: "done", Devices: []string{"sda"}, Count: 3}, nil
}

var errEngine = errors.New("the engine does not run")

// served is a node that runs, with its log.
type served struct {
	*Node
	*fake
	log *lines
}

type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(p)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
}

// Owns implements Owner.
func (f *fake) Owns(device string) bool { return device == "sda" || device == "sdb" }

func serve(t *testing.T, c Config) *served { return serveWith(t, c, nil) }

func serveWith(t *testing.T, c Config, a *Admission) *served {
	t.Helper()
	s := &served{log: &lines{}}
	c.Log = zerolog.New(s.log)
	system := quietSystem()
	var err error
	if s.Node, err = Start(system, c); err != nil {
		t.Fatal(err)
	}
	supervisor := system.Root.SpawnPrefix(actor.PropsFromFunc(func(actor.Context) {}), "replicator-")
	s.fake = &fake{pid: supervisor, report: &bootstrap.Report{At: time.Now()}}
	s.fake.report.Program.Node = "node \xff"
	s.fake.report.Verdict.State = "healthy"
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		system.Root.Stop(supervisor)
	})
	if _, err := s.ServeWith(s.fake, "", a); err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t *testing.T, c Config) *Client {
	t.Helper()
	one, err := NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := one.Close(); err != nil {
			t.Error(err)
		}
	})
	return one
}
