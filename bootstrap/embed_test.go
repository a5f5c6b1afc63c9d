package bootstrap_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"understudy/actors"
	"understudy/bootstrap"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// host is a program with an actor system of its own, which runs engines below an actor of
// its own, under a strategy of its own.
type host struct {
	*rig
	system *actor.ActorSystem
	boss   *actor.PID

	mu     sync.Mutex
	events []any
}

// bear has the boss spawn an engine. It answers the PID.
type bear struct {
	props *actor.Props
	name  string
}

// crash makes a supervisor panic.
type crash struct{}

func crashes(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(c actor.ReceiverContext, m *actor.MessageEnvelope) {
		if _, told := m.Message.(*crash); told {
			panic("told to crash")
		}
		next(c, m)
	}
}

// noLeaks is to be called before anything else of a test.
func noLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	// the library's throttle of dead letters lives for a second
	throttle := goleak.IgnoreTopFunction("github.com/asynkron/protoactor-go/actor.NewDeadLetter.NewThrottle.func4.1")
	t.Cleanup(func() { goleak.VerifyNone(t, before, throttle) })
}

func newHost(r *rig, strategy actor.SupervisorStrategy) *host {
	h := &host{rig: r, system: actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))}
	h.system.EventStream.Subscribe(func(m any) {
		switch m.(type) {
		case *messages.EngineStarted, *messages.RoundEnded, *messages.Happened:
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, m)
		}
	})
	h.boss = h.system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if m, ok := c.Message().(*bear); ok {
			pid, err := c.SpawnNamed(m.props, m.name)
			if err != nil {
				r.Error(err)
			}
			c.Respond(pid)
		}
	}, actor.WithSupervisor(strategy)))
	r.Cleanup(func() {
		if err := actors.StopWithin(h.system, h.boss, patience); err != nil {
			r.Error(err)
		}
		h.system.Shutdown()
	})
	return h
}

// spawn makes an engine of this node's configuration and runs it below the boss.
func (h *host) spawn(r *rig, name string, change func(*bootstrap.Settings)) (*bootstrap.Engine, *actor.PID) {
	h.Helper()
	s := bootstrap.Settings{
		Config: r.load(), Log: zerolog.New(r.log), Parts: bootstrap.Parts{Middleware: []actor.ReceiverMiddleware{crashes}},
	}
	if change != nil {
		change(&s)
	}
	e, err := bootstrap.New(s)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(e.Close)
	pid, err := h.system.Root.RequestFuture(h.boss, &bear{e.Props(), name}, patience).Result()
	if err != nil {
		h.Fatal(err)
	}
	return e, pid.(*actor.PID)
}

// order sends a message to a supervisor and takes the answer.
func (h *host) order(pid *actor.PID, m any) *bootstrap.Answer {
	h.Helper()
	got, err := h.system.Root.RequestFuture(pid, m, patience).Result()
	if err != nil {
		h.Fatalf("%T: %v", m, err)
	}
	return got.(*bootstrap.Answer)
}

// count is how many events of an engine are of a kind.
func (h *host) count(is func(any) bool) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if is(e) {
			n++
		}
	}
	return n
}

func started(pid *actor.PID) func(any) bool {
	return func(e any) bool { m, ok := e.(*messages.EngineStarted); return ok && m.Engine.Equal(pid) }
}

func rounds(pid *actor.PID) func(any) bool {
	return func(e any) bool { m, ok := e.(*messages.RoundEnded); return ok && m.Engine.Equal(pid) }
}

// A host's strategy restarts the supervisor four times in the midst of its work. What an
// operator has paused stays paused, the configuration in force is the newest, jobs keep to
// their slots, no partition stays locked, and after the stop nothing is left.
func TestHostRestarts(t *testing.T) {
	noLeaks(t)
	r := newRig(t, "concurrency = 4", "interval = 1", "sync_method = rsync", "handoffs_first = no")
	for policy := range 2 {
		for _, part := range []string{"0", "1", "2", "3"} {
			r.object(policy, part, "o")
		}
	}
	busy, most, gate := atomic.Int64{}, atomic.Int64{}, make(chan struct{})
	for _, p := range r.peers[1:] {
		p.with(func(p *peer) {
			p.answer = func(int, string) (int, []byte) {
				most.Store(max(most.Load(), busy.Add(1)))
				defer busy.Add(-1)
				<-gate
				return http.StatusOK, hashes.EncodeWire(nil)
			}
		})
	}
	h := newHost(r, actor.NewOneForOneStrategy(10, time.Minute, actor.DefaultDecider))
	ready := atomic.Int64{}
	e, pid := h.spawn(r, "replicator", func(s *bootstrap.Settings) { s.Ready = func() { ready.Add(1) } })
	r.until("a peer is asked", func() bool { return busy.Load() > 0 })
	if a := h.order(pid, &bootstrap.Order{Command: bootstrap.PauseCommand{Scope: bootstrap.ScopePolicy, Name: "one", For: time.Hour}}); a.Err != nil {
		t.Fatal(a.Err)
	}
	r.set("concurrency = 2")
	if a := h.order(pid, &bootstrap.Reconfigure{Config: r.load()}); a.Err != nil {
		t.Fatal(a.Err)
	}
	for i := range 4 {
		h.system.Root.Send(pid, &crash{})
		r.until("the engine stands again", func() bool { return h.count(started(pid)) == i+2 })
	}
	report, err := e.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Settings.Limits.Jobs != 2 {
		t.Errorf("limits of an earlier configuration: %+v", report.Settings.Limits)
	}
	if p := report.Policies[1]; p.Paused == nil {
		t.Errorf("the pause is forgotten: %+v", p)
	}
	close(gate)
	r.until("a round is over", func() bool { return h.count(rounds(pid)) > 1 })
	if n := most.Load(); n > 4*5 {
		t.Errorf("%d jobs at once", n)
	}
	if ready.Load() != 1 {
		t.Errorf("ready %d times", ready.Load())
	}
	if n := r.log.count("partition is locked"); n > 0 {
		t.Errorf("%d partitions stayed locked\n%s", n, r.log)
	}
	if a := h.order(pid, &bootstrap.Drain{Limit: patience}); a.Err != nil {
		t.Error(a.Err)
	}
	if a := h.order(pid, &bootstrap.GetReport{}); a.Err != nil || a.Report.Busy() != 0 || a.Report.Paused == nil {
		t.Errorf("drained: %+v", a)
	}
	if err := actors.StopWithin(h.system, pid, patience); err != nil {
		t.Error(err)
	}
	if _, err := e.Report(t.Context()); err == nil {
		t.Error("an engine that has been stopped reports")
	}
}

// The host's strategy says "stop": the engine is gone, and the host may spawn it again.
func TestHostStopsWhatFails(t *testing.T) {
	noLeaks(t)
	r := newRig(t)
	h := newHost(r, actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective }))
	e, pid := h.spawn(r, "replicator", nil)
	r.until("the engine stands", func() bool { return h.count(started(pid)) == 1 })
	h.system.Root.Send(pid, &crash{})
	r.until("the engine is gone", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // it may end with the question in its mailbox
		defer cancel()
		return e.Alive(ctx) != nil
	})
	again, err := h.system.Root.RequestFuture(h.boss, &bear{e.Props(), "another"}, patience).Result()
	if err != nil {
		t.Fatal(err)
	}
	r.until("it runs again", func() bool { return h.count(started(again.(*actor.PID))) == 1 })
	if err := e.Alive(t.Context()); err != nil {
		t.Error(err)
	}
}

// Two supervisors of one engine would work on the same disks.
func TestSecondSupervisorStops(t *testing.T) {
	noLeaks(t)
	r := newRig(t)
	h := newHost(r, actor.DefaultSupervisorStrategy())
	e, first := h.spawn(r, "replicator", nil)
	r.until("the first stands", func() bool { return h.count(started(first)) == 1 })
	second, err := h.system.Root.RequestFuture(h.boss, &bear{e.Props(), "second"}, patience).Result()
	if err != nil {
		t.Fatal(err)
	}
	r.until("the second is gone", func() bool {
		_, there := h.system.ProcessRegistry.GetLocal(second.(*actor.PID).Id)
		return !there
	})
	r.until("the first works", func() bool { return h.count(rounds(first)) > 0 })
	if err := e.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	if h.count(started(second.(*actor.PID))) > 0 {
		t.Error("the second has stood")
	}
}

// Two engines in one process have their own recon cache, metrics, events and operators.
func TestTwoEngines(t *testing.T) {
	noLeaks(t)
	one, two := newRig(t), newRig(t)
	h := newHost(one, actor.NewOneForOneStrategy(10, time.Minute, actor.DefaultDecider))
	registry := prometheus.NewRegistry()
	labelled := func(name string) func(*bootstrap.Settings) {
		return func(s *bootstrap.Settings) {
			s.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"node": name}, registry)
		}
	}
	e1, p1 := h.spawn(one, "one", labelled("one"))
	e2, p2 := h.spawn(two, "two", labelled("two"))
	h.system.Root.Send(p1, &crash{})
	one.until("both have ended a round", func() bool { return h.count(rounds(p1)) > 0 && h.count(rounds(p2)) > 0 })
	if n := h.count(started(p2)); n != 1 {
		t.Errorf("the second engine has been started %d times", n)
	}
	if _, err := e1.Do(t.Context(), bootstrap.PauseCommand{Scope: bootstrap.ScopeNode}); err != nil {
		t.Fatal(err)
	}
	if report, err := e2.Report(t.Context()); err != nil || report.Paused != nil {
		t.Errorf("the second engine is paused, too: %+v, %v", report, err)
	}
	for _, r := range []*rig{one, two} {
		r.until("the recon cache tells of a pass", func() bool { return r.recon()["object_replication_last"] != nil })
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	up := 0
	for _, f := range families {
		if f.GetName() == "understudy_engine_up" {
			up = len(f.GetMetric())
		}
	}
	if up != 2 {
		t.Fatalf("metrics of %d engines: %v", up, families)
	}
	e1.Close()
	if _, err := bootstrap.New(bootstrap.Settings{Config: two.load(), Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"node": "two"}, registry)}); err == nil {
		t.Error("metrics of two engines were taken for one's")
	}
}

// What cannot work is refused with a reason.
func TestNewRefuses(t *testing.T) {
	r := newRig(t)
	for _, test := range []struct {
		settings bootstrap.Settings
		want     string
	}{
		{bootstrap.Settings{}, "no configuration"},
		{bootstrap.Settings{Config: r.load(), Parts: bootstrap.Parts{Store: noStore{}}}, "needs a Transport"},
	} {
		if _, err := bootstrap.New(test.settings); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

type noStore struct{ actors.Store }

// Orders that make no sense change nothing, and no one waits for an answer in vain.
func TestOrders(t *testing.T) {
	noLeaks(t)
	r := newRig(t)
	h := newHost(r, actor.DefaultSupervisorStrategy())
	_, pid := h.spawn(r, "replicator", nil)
	var refusal *bootstrap.Refusal
	for _, c := range []bootstrap.Command{nil, bootstrap.PauseCommand{Scope: bootstrap.ScopeDevice, Name: "nope"}, bootstrap.SetProfile{Profile: "nope"}} {
		if a := h.order(pid, &bootstrap.Order{Command: c}); !errors.As(a.Err, &refusal) {
			t.Errorf("%T: %v", c, a.Err)
		}
	}
	if a := h.order(pid, &bootstrap.Reconfigure{}); !errors.As(a.Err, &refusal) {
		t.Errorf("no configuration: %v", a.Err)
	}
	if a := h.order(pid, &bootstrap.Order{Command: bootstrap.RunPass{}}); a.Err != nil || a.Done == nil {
		t.Errorf("run a pass: %+v", a)
	}
	h.system.Root.Send(pid, &bootstrap.GetReport{}) // nobody to answer
	var waiting []*actor.Future
	for range 200 {
		waiting = append(waiting, h.system.Root.RequestFuture(pid, &bootstrap.GetReport{}, patience))
	}
	for _, f := range waiting {
		if _, err := f.Result(); err != nil {
			t.Fatal(err)
		}
	}
}
