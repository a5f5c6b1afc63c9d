package main

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"understudy/config"
)

// fakeServer ends when it is told to, or some time after its ctx.
type fakeServer struct {
	end     chan error
	drain   time.Duration
	drained bool
	dead    error // answer of Alive
	configs []*config.Config
}

func (s *fakeServer) Serve(ctx context.Context) error {
	select {
	case err := <-s.end:
		return err
	case <-ctx.Done():
		time.Sleep(s.drain)
		s.drained = true
		return nil
	}
}

func (s *fakeServer) Reload(cfg *config.Config)   { s.configs = append(s.configs, cfg) }
func (s *fakeServer) Alive(context.Context) error { return s.dead }

// withServer is a daemon of fakes that serves peers.
func withServer(t *testing.T, peers *fakeServer) *served {
	t.Helper()
	peers.end = make(chan error, 1)
	e := &fakeEngine{}
	s := serve(t, e, func(s *served) { s.daemon.engine = &node{engine: e, peers: peers} })
	return s
}

// A stop waits for the peers' requests, and then for the engine.
func TestNodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeServer{drain: drainLimit}
		s := withServer(t, peers)
		begun := time.Now()
		s.signals <- syscall.SIGTERM
		if took := s.wait(t, begun); took != drainLimit || !peers.drained {
			t.Errorf("it took %s, drained %v", took, peers.drained)
		}
		if got := s.record.lines(t); !slices.Equal(got, []string{"SIGTERM received"}) {
			t.Errorf("logged %q", got)
		}
	})
}

// A server that dies takes the process with it, and so does the engine.
func TestNodeDiesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeServer{}
		s := withServer(t, peers)
		broken := errors.New("serve 127.0.0.1:6200: too bad")
		peers.end <- broken
		if err := <-s.done; !errors.Is(err, broken) {
			t.Errorf("it ended with %v", err)
		}
		if got := s.record.lines(t); !slices.Equal(got, []string{"UNCAUGHT EXCEPTION: serve 127.0.0.1:6200: too bad"}) {
			t.Errorf("logged %q", got)
		}
		close(s.daemon.engine.(*node).engine.(*fakeEngine).release)
	})
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeServer{}
		s := withServer(t, peers)
		broken := errors.New("the supervisor gave up")
		s.engine.end <- broken
		if err := <-s.done; !errors.Is(err, broken) || !peers.drained {
			t.Errorf("it ended with %v, drained %v", err, peers.drained)
		}
		close(s.engine.release)
	})
}

func TestNodeReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeServer{}
		s := withServer(t, peers)
		s.signals <- syscall.SIGHUP
		synctest.Wait()
		s.engine.mu.Lock()
		s.engine.refuse = errors.New("no")
		s.engine.mu.Unlock()
		s.signals <- syscall.SIGHUP
		synctest.Wait()
		if len(peers.configs) != 1 || len(s.engine.configs) != 1 {
			t.Errorf("the server got %d configurations, the engine %d", len(peers.configs), len(s.engine.configs))
		}
		s.signals <- syscall.SIGTERM
		s.wait(t, time.Now())
	})
}

// The watchdog is fed only while both answer.
func TestNodeLives(t *testing.T) {
	peers := &fakeServer{}
	n := &node{engine: &fakeEngine{}, peers: peers}
	if err := n.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	peers.dead = errors.New("wedged")
	if err := n.Alive(t.Context()); !errors.Is(err, peers.dead) {
		t.Error(err)
	}
}

// What of a server changes only by a restart.
func TestServingNeedsRestart(t *testing.T) {
	read := func(server, own string) *config.Config {
		return loadConf(t, "serve_peers = yes\n"+own+"\n[app:object-server]\n"+server+"\n")
	}
	started := read("", "")
	for _, c := range []struct {
		read *config.Config
		want []string
	}{
		{read("", "interval = 3\nlog_statsd_host = 127.0.0.1"), nil},
		{read("replication_concurrency = 9\nclient_timeout = 3", "bind_port = 6299"), []string{"bind_port", "app:object-server client_timeout", "app:object-server replication_concurrency"}},
		{loadConf(t, ""), []string{"serve_peers"}},
	} {
		if got := needRestart(started, c.read); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
