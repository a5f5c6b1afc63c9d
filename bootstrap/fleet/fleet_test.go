package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"
	"go.uber.org/goleak"

	"understudy/bootstrap"
	"understudy/bootstrap/remoteapi"
	"understudy/internal/certtest"
	"understudy/messages/controlpb"
)

const enough = 30 * time.Second

// engine is one whose report names its node.
type engine struct{ name string }

func (engine) PID() *actor.PID { return nil }

func (e engine) Report(context.Context) (*bootstrap.Report, error) {
	r := &bootstrap.Report{}
	r.Program.Node = e.name
	return r, nil
}

func (e engine) Do(context.Context, bootstrap.Command) (*bootstrap.Done, error) {
	return &bootstrap.Done{Message: e.name}, nil
}

// world is an authority and the addresses of three nodes.
type world struct {
	*testing.T
	ca    *certtest.Authority
	seeds []string
}

func newWorld(t *testing.T) *world {
	if raceDetector {
		t.Skip("more than one Start in a process is a race of the library (see remoteapi): run without -race")
	}
	w := &world{T: t, ca: certtest.New(t)}
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		w.seeds = append(w.seeds, l.Addr().String())
	}
	return w
}

func quiet() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
}

// join makes a member: node i, or one that only asks for i < 0.
func (w *world) join(i int) *Member {
	w.Helper()
	name, port := "operator", 0
	var e remoteapi.Engine
	if i >= 0 {
		name = fmt.Sprintf("n%d", i+1)
		_, text, _ := strings.Cut(w.seeds[i], ":")
		port, _ = strconv.Atoi(text)
		e = engine{name}
	}
	m, err := Join(quiet(), e, Config{
		Cluster:  "test",
		Remote:   remoteapi.Config{Node: name, Address: "127.0.0.1", Port: port, TLS: w.ca.Config(name, "127.0.0.1")},
		Provider: NewStatic(StaticConfig{Seeds: w.seeds, Every: 200 * time.Millisecond, Lost: time.Second}),
	})
	if err != nil {
		w.Fatal(err)
	}
	return m
}

func (w *world) leave(m *Member) {
	w.Helper()
	if err := m.Leave(); err != nil {
		w.Error(err)
	}
}

func (w *world) until(what string, true func() bool) {
	w.Helper()
	for end := time.Now().Add(enough); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%s: never", what)
		}
	}
}

func sees(m *Member, want ...string) func() bool {
	return func() bool { return slices.Equal(m.Names(), want) }
}

// mustAsk asks once.
func (w *world) mustAsk(m *Member, node string) {
	w.Helper()
	r, err := m.Ask(node, &controlpb.Request{Command: &controlpb.Request_GetStatus{}}, enough)
	if err != nil || r.GetStatus().GetNode() != node {
		w.Fatalf("%s answers %v, %v", node, r, err)
	}
}

// Three members and one that only asks. Each node is reached by its name from everywhere;
// when one is lost the others see it and go on, and it comes back.
func TestMembers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		// what the library leaves of each cluster: throttles of its log lines
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/actor.NewDeadLetter.NewThrottle.func4.1"),
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/actor.NewThrottle.func1.1"),
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/actor.NewThrottleWithLogger.func1.1"))
	w := newWorld(t)
	asks := w.join(-1)
	defer w.leave(asks)
	nodes := []*Member{w.join(0), w.join(1), w.join(2)}
	defer func() {
		for _, m := range nodes {
			w.leave(m)
		}
	}()
	for _, m := range append(nodes, asks) {
		w.until("all see all", sees(m, "n1", "n2", "n3"))
		for _, name := range []string{"n1", "n2", "n3"} {
			w.mustAsk(m, name)
		}
	}
	for round := range 1 { // the library bans for ever who has left
		w.leave(nodes[1])
		for _, m := range []*Member{asks, nodes[0], nodes[2]} {
			w.until("the loss is seen", sees(m, "n1", "n3"))
		}
		if _, err := asks.Ask("n2", &controlpb.Request{Command: &controlpb.Request_GetStatus{}}, time.Second); err == nil {
			t.Error("a node that is gone answers")
		}
		w.mustAsk(asks, "n1")
		nodes[1] = w.join(1)
		for _, m := range append(nodes, asks) {
			w.until(fmt.Sprintf("it is back, time %d", round+1), sees(m, "n1", "n2", "n3"))
		}
		w.mustAsk(asks, "n2")
		w.mustAsk(nodes[1], "n3")
	}
	if _, err := asks.Ask("n9", &controlpb.Request{Command: &controlpb.Request_GetStatus{}}, time.Second); err == nil {
		t.Error("a node that there is not answers")
	}
}

// One process that was away and is back is a member under another id each time.
func TestStaticGivesNewIDs(t *testing.T) {
	s := NewStatic(StaticConfig{Lost: time.Nanosecond})
	s.seen["10.0.0.1:1"] = &sight{}
	who := &controlpb.Identity{Node: "n1", Incarnation: "x"}
	ids := map[string]bool{}
	for range 3 {
		if !s.note("10.0.0.1:1", who) || s.note("10.0.0.1:1", who) {
			t.Error("a member that comes is news once")
		}
		m := s.seen["10.0.0.1:1"].member
		if ids[m.Id] || m.Address() != "10.0.0.1:1" || places(cluster.Members{m})["n1"] != m.Address() {
			t.Errorf("member %v", m)
		}
		ids[m.Id] = true
		if s.note("10.0.0.1:1", &controlpb.Identity{Node: "n1", Incarnation: "another process"}) || s.seen["10.0.0.1:1"].member != m {
			t.Error("a member whose process is another one is news")
		}
		time.Sleep(time.Microsecond)
		if !s.note("10.0.0.1:1", nil) || s.note("10.0.0.1:1", nil) {
			t.Error("a member that goes is news once")
		}
	}
	s.note("10.0.0.1:1", who)
	if !s.note("10.0.0.1:1", &controlpb.Identity{Node: "n2"}) || places(cluster.Members{s.seen["10.0.0.1:1"].member})["n2"] == "" {
		t.Error("another node under the address is no news")
	}
	s.c.Lost = time.Hour
	s.note("10.0.0.1:1", who)
	if s.note("10.0.0.1:1", nil) || s.seen["10.0.0.1:1"].member == nil {
		t.Error("one lost answer, and it is no member")
	}
}

func TestJoinRefuses(t *testing.T) {
	for want, c := range map[string]remoteapi.Config{
		"no name": {Address: "127.0.0.1", Insecure: true},
		"no TLS":  {Address: "127.0.0.1", Node: "n1"},
	} {
		if _, err := Join(quiet(), nil, Config{Remote: c}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
