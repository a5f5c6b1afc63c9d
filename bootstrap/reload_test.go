package bootstrap_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/internal/store"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// A daemon that runs takes another configuration: what it was asking a peer is not
// asked again, the new settings hold, the same rings are no change, and neither a bad
// ring nor a missing one takes anything away.
func TestReloadOfARunningEngine(t *testing.T) {
	r := newRig(t, "concurrency = 1", "interval = 1", "stats_interval = 1000")
	for policy := range 2 {
		for _, part := range []string{"0", "1", "2", "3"} {
			r.object(policy, part, "o")
		}
	}
	gate, asked, busy, most := make(chan struct{}), atomic.Int64{}, atomic.Int64{}, atomic.Int64{}
	for _, p := range r.peers[1:] {
		p.with(func(p *peer) {
			p.answer = func(int, string) (int, []byte) {
				asked.Add(1)
				most.Store(max(most.Load(), busy.Add(1)))
				defer busy.Add(-1)
				<-gate
				return http.StatusOK, hashes.EncodeWire(nil)
			}
		})
	}
	e, err := bootstrap.New(bootstrap.Settings{Config: r.load(), Log: zerolog.New(r.log)})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Alive(t.Context()); err == nil {
		t.Error("an engine that does not run is alive")
	}
	if err := e.Reload(r.load()); err == nil {
		t.Error("an engine that does not run has been reloaded")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = e.Run(ctx)
	}()
	r.until("a peer is asked", func() bool { return asked.Load() == 1 })
	if err := e.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	r.set("concurrency = 3")
	if err := e.Reload(r.load()); err != nil {
		t.Fatal(err)
	}
	r.until("three jobs are at work", func() bool { return busy.Load() == 3 })
	if n := asked.Load(); n != 3 {
		t.Errorf("%d questions, one of them twice", n)
	}
	for _, line := range r.log.swift("info") {
		if line == "Ring change detected. Aborting current replication pass." {
			t.Error("the same rings are taken for others")
		}
	}
	noise := []byte("no ring at all")
	if err := os.WriteFile(bootstrap.RingPath(r.path("etc"), 0), noise, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := e.Reload(r.load()); err != nil {
		t.Errorf("a bad ring beside a good one in use: %v", err)
	}
	r.mkdir("empty")
	r.set("swift_dir = " + r.path("empty"))
	if err := e.Reload(r.load()); err == nil {
		t.Error("a folder without rings was taken")
	}
	close(gate)
	var s *messages.Snapshot
	r.until("a pass is over", func() bool {
		if s, err = e.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(s.Devices) == 1 && s.Devices[0].Passes > 0
	})
	if n := most.Load(); n != 3 {
		t.Errorf("at most %d jobs at a time, want 3", n)
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the engine does not end")
	}
	if err := e.Alive(t.Context()); err == nil {
		t.Error("an engine that has ended is alive")
	}
}

// What earlier configurations were served with is let go of: after many reloads there
// is one thread that starts rsyncs and one client of statsd, as after none, and nobody
// keeps the parts of old, but that the supervisor's props are made of the first.
func TestReloadsLeaveNothingBehind(t *testing.T) {
	r := newRig(t, "concurrency = 1", "interval = 1", "log_statsd_host = 127.0.0.1")
	r.object(0, "0", "o")
	e, err := bootstrap.New(bootstrap.Settings{Config: r.load(), Log: zerolog.New(r.log)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = e.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()
	var old []weak.Pointer[store.Store]
	for range 4 {
		old = append(old, weak.Make(e.Store()))
		before := len(r.pushes())
		r.until("an rsync was started", func() bool { return len(r.pushes()) > before })
		server, err := net.ListenPacket("udp", "127.0.0.1:0") // another one, that reads nothing
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		r.set("log_statsd_port = " + strconv.Itoa(server.LocalAddr().(*net.UDPAddr).Port))
		if err := e.Reload(r.load()); err != nil {
			t.Fatal(err)
		}
	}
	r.until("nobody keeps the parts of old", func() bool {
		runtime.GC()
		return !slices.ContainsFunc(old[1:], func(p weak.Pointer[store.Store]) bool { return p.Value() != nil })
	})
	for what, want := range map[string]int{"rsync.(*Thread).run": 1, "statsd.(*Client).run": 1} {
		r.until("one goroutine is in "+what, func() bool { return goroutinesIn(t, what) == want })
	}
}

// goroutinesIn counts the goroutines that a function has begun.
func goroutinesIn(t *testing.T, function string) (n int) {
	t.Helper()
	var b strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
		t.Fatal(err)
	}
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, function+"(") {
			n++
		}
	}
	return n
}
