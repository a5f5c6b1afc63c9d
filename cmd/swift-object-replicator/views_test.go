package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
)

// fakeViews end some time after their ctx.
type fakeViews struct {
	opened, ended bool
	drain         time.Duration
}

func (v *fakeViews) Open() { v.opened = true }

func (v *fakeViews) Run(ctx context.Context) {
	<-ctx.Done()
	time.Sleep(v.drain)
	v.ended = true
}

// Views are open before the engine runs, and end with it: by a signal, and when it
// ends by itself.
func TestViewsLiveAsLongAsTheEngine(t *testing.T) {
	for _, ownEnd := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			v, e := &fakeViews{drain: 200 * time.Millisecond}, &fakeEngine{}
			s := serve(t, e, func(s *served) { s.daemon.engine = watch(e, v) })
			if !v.opened {
				t.Error("not open")
			}
			begun := time.Now()
			if ownEnd {
				e.end <- nil
			} else {
				s.signals <- os.Interrupt
			}
			if took := s.wait(t, begun); took != v.drain || !v.ended {
				t.Errorf("it took %s, ended %v", took, v.ended)
			}
		})
	}
}

// What keeps the engine from ending does not keep operators from seeing it.
func TestViewsOfAnEngineThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, e := &fakeViews{}, &fakeEngine{hangs: true}
		s := serve(t, e, func(s *served) { s.daemon.engine = watch(e, v) })
		begun := time.Now()
		s.signals <- os.Interrupt
		if took := s.wait(t, begun); took != treeLimit+closeLimit {
			t.Errorf("it took %s", took)
		}
	})
}

// reports is an engine that can be asked.
type reports struct{}

func (reports) Report(context.Context) (*status.Report, error) {
	return &status.Report{Version: status.Version, Verdict: status.Verdict{State: status.Healthy}}, nil
}

func (reports) Do(context.Context, status.Command) (*status.Done, error) { return &status.Done{}, nil }

// By default there is a socket beside the recon file and no port; none means none,
// and a pass in script mode has nothing.
func TestNewViews(t *testing.T) {
	cache := t.TempDir()
	cfg := loadConf(t, "recon_cache_path = "+cache)
	if newViews(cfg, reports{}, true, zerolog.Nop()) != nil {
		t.Error("script mode has a socket")
	}
	if newViews(loadConf(t, "control_socket = none"), reports{}, false, zerolog.Nop()) != nil {
		t.Error("none has a socket")
	}
	path := filepath.Join(cache, "understudy", "control.sock")
	show(t, cfg, func() {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		if _, err := control.NewClient(path).Report(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("after the end: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	show(t, loadConf(t, "control_socket = none\nstatus_listen = "+address), func() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	})
}

func show(t *testing.T, cfg *config.Config, then func()) {
	t.Helper()
	v := newViews(cfg, reports{}, false, zerolog.Nop())
	v.Open()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		v.Run(ctx)
		close(ended)
	}()
	then()
	cancel()
	<-ended
}
