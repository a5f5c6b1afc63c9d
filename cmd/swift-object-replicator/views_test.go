package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/inspect"
	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
)

// fakeViews end some time after their ctx.
type fakeViews struct {
	ran, ended atomic.Bool
	drain      time.Duration
}

func (v *fakeViews) Run(ctx context.Context) {
	v.ran.Store(true)
	<-ctx.Done()
	time.Sleep(v.drain)
	v.ended.Store(true)
}

// Views live as long as the engine, whoever ends it; those that hang are left.
func TestViewsLiveAsLongAsTheEngine(t *testing.T) {
	for _, c := range []struct {
		ownEnd      bool
		drain, took time.Duration
	}{
		{false, 200 * time.Millisecond, 200 * time.Millisecond},
		{true, 200 * time.Millisecond, 200 * time.Millisecond},
		{false, time.Hour, viewsLimit},
		{true, time.Hour, viewsLimit},
	} {
		synctest.Test(t, func(t *testing.T) {
			v, e := &fakeViews{drain: c.drain}, &fakeEngine{}
			s := serve(t, e, func(s *served) { s.daemon.engine = watch(e, v) })
			if !v.ran.Load() || v.ended.Load() {
				t.Errorf("they ran %v, ended %v", v.ran.Load(), v.ended.Load())
			}
			begun := time.Now()
			if c.ownEnd {
				e.end <- nil
			} else {
				s.signals <- os.Interrupt
			}
			if took := s.wait(t, begun); took != c.took || v.ended.Load() != (c.drain == c.took) {
				t.Errorf("it took %s, ended %v", took, v.ended.Load())
			}
			time.Sleep(c.drain)
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

func (reports) DryRun(context.Context, status.DryRun) (*inspect.Pass, error) {
	return &inspect.Pass{}, nil
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
	show(t, cfg, func() error {
		if _, err := control.NewClient(path).Report(t.Context()); err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Error(info.Mode())
		}
		return err
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
	show(t, loadConf(t, "control_socket = none\nstatus_listen = "+address), func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
}

// show runs the views of a configuration until then has seen them.
func show(t *testing.T, cfg *config.Config, then func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		newViews(cfg, reports{}, false, zerolog.Nop()).Run(ctx)
		close(ended)
	}()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		err := then()
		if err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Error(err)
			break
		}
	}
	cancel()
	<-ended
}
