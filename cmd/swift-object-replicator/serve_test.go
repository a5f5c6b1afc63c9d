package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/messages"
)

// fakeEngine is an engine whose end, answers and reloads the test decides.
type fakeEngine struct {
	end    chan error // ends Run; a stop does so, too, unless it hangs
	hangs  bool       // neither a stop nor Close has an effect
	refuse error      // of Reload

	mu      sync.Mutex
	closed  int
	configs []*config.Config
	deaf    bool // Alive does not answer
	release chan struct{}
}

func (e *fakeEngine) Run(ctx context.Context) (messages.Stats, error) {
	stop := ctx.Done()
	if e.hangs {
		stop = nil
	}
	select {
	case err := <-e.end:
		return messages.Stats{}, err
	case <-stop:
		return messages.Stats{}, ctx.Err()
	case <-e.release:
		return messages.Stats{}, nil
	}
}

func (e *fakeEngine) Alive(ctx context.Context) error {
	e.mu.Lock()
	deaf := e.deaf
	e.mu.Unlock()
	if deaf {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (e *fakeEngine) setDeaf(deaf bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = deaf
}

func (e *fakeEngine) Reload(cfg *config.Config) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuse == nil {
		e.configs = append(e.configs, cfg)
	}
	return e.refuse
}

func (e *fakeEngine) Close() {
	e.mu.Lock()
	e.closed++
	e.mu.Unlock()
	if e.hangs {
		<-e.release
	}
}

// record keeps what the manager is told and what is logged.
type record struct {
	mu       sync.Mutex
	told     []string
	log      strings.Builder
	watchdog time.Duration
}

func (r *record) note(word string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, word)
	return nil
}

func (r *record) Ready() error                             { return r.note("ready") }
func (r *record) Reloading() error                         { return r.note("reloading") }
func (r *record) Stopping() error                          { return r.note("stopping") }
func (r *record) Feed() error                              { return r.note("feed") }
func (r *record) WatchdogInterval() (time.Duration, error) { return r.watchdog, nil }

func (r *record) words() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

// lines are the messages logged so far, numbers of processes cut off.
func (r *record) lines(t *testing.T) (lines []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.log.String()) {
		var e struct{ Message string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimRight(e.Message, "()0123456789 "))
	}
	return lines
}

// served is a daemon of fakes that runs in virtual time.
type served struct {
	*daemon
	engine  *fakeEngine
	record  *record
	signals chan os.Signal
	stands  chan struct{}
	done    chan error
}

func serve(t *testing.T, engine *fakeEngine, change func(*served)) *served {
	t.Helper()
	engine.end, engine.release = make(chan error, 1), make(chan struct{})
	s := &served{engine: engine, record: &record{}, signals: make(chan os.Signal, 8), stands: make(chan struct{}), done: make(chan error, 1)}
	s.daemon = &daemon{
		engine: engine, stands: s.stands, signals: s.signals, log: zerolog.New(s.record), started: &config.Config{},
		load: func() (*config.Config, error) { return &config.Config{}, nil }, manager: s.record,
	}
	if change != nil {
		change(s)
	}
	go func() { s.done <- s.serve() }()
	close(s.stands)
	synctest.Wait()
	return s
}

// wait waits for the end of serve, which must be a good one, and returns when it came.
func (s *served) wait(t *testing.T, since time.Time) time.Duration {
	t.Helper()
	if err := <-s.done; err != nil {
		t.Errorf("it ended with %v", err)
	}
	took := time.Since(since)
	close(s.engine.release)
	synctest.Wait()
	return took
}

func TestSignalsEndIt(t *testing.T) {
	for _, c := range []struct {
		name    string
		hangs   bool
		signals []os.Signal // the second a second later
		took    time.Duration
		lines   []string
	}{
		{"TERM", false, []os.Signal{syscall.SIGTERM}, 0, []string{"SIGTERM received"}},
		{"INT", false, []os.Signal{syscall.SIGINT}, 0, []string{"User quit", "Exited"}},
		{
			"TERM to an engine that hangs",
			true,
			[]os.Signal{syscall.SIGTERM},
			treeLimit + closeLimit,
			[]string{"SIGTERM received", "left the engine before its end"},
		},
		{
			"TERM twice",
			true,
			[]os.Signal{syscall.SIGTERM, syscall.SIGTERM},
			time.Second + closeLimit,
			[]string{"SIGTERM received", "left the engine before its end"},
		},
		{
			"TERM, then INT",
			true,
			[]os.Signal{syscall.SIGTERM, syscall.SIGINT},
			time.Second + closeLimit,
			[]string{"SIGTERM received", "left the engine before its end"},
		},
		{
			"TERM, then HUP",
			true,
			[]os.Signal{syscall.SIGTERM, syscall.SIGHUP},
			treeLimit + closeLimit,
			[]string{"SIGTERM received", "left the engine before its end"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, &fakeEngine{hangs: c.hangs}, nil)
				begin := time.Now()
				for i, signal := range c.signals {
					if i > 0 {
						time.Sleep(time.Second)
					}
					s.signals <- signal
				}
				if took := s.wait(t, begin); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				if got := s.record.lines(t); !slices.Equal(got, c.lines) {
					t.Errorf("logged %q, want %q", got, c.lines)
				}
				if got := s.record.words(); !slices.Equal(got, []string{"ready", "stopping"}) {
					t.Errorf("told %q", got)
				}
				if c.hangs != (s.engine.closed > 0) {
					t.Errorf("closed %d times", s.engine.closed)
				}
			})
		})
	}
	if all := treeLimit + 2*closeLimit + flushLimit; all >= 5*time.Second {
		t.Errorf("a stop may take %s", all)
	}
}

// A run that ends by itself has told that it was ready, and its error is the status.
func TestItsOwnEnd(t *testing.T) {
	for want, lines := range map[error][]string{
		nil:                    {"Exited"},
		errors.New("gave up."): {"UNCAUGHT EXCEPTION: gave up."},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, &fakeEngine{}, nil)
			s.engine.end <- want
			if err := <-s.done; !errors.Is(err, want) {
				t.Errorf("it ended with %v, want %v", err, want)
			}
			synctest.Wait()
			if got := s.record.lines(t); !slices.Equal(got, lines) {
				t.Errorf("logged %q", got)
			}
			if got := s.record.words(); !slices.Equal(got, []string{"ready"}) {
				t.Errorf("told %q", got)
			}
		})
	}
}

// The watchdog is fed from the start on, not while the engine is deaf, and again
// when it hears.
func TestServeFeedsTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, &fakeEngine{}, func(s *served) { s.record.watchdog = 30 * time.Second })
		count := func() int {
			synctest.Wait()
			return len(slices.DeleteFunc(s.record.words(), func(w string) bool { return w != "feed" }))
		}
		time.Sleep(60 * time.Second)
		fed := count()
		if fed != 6 {
			t.Errorf("fed %d times in a minute", fed)
		}
		s.engine.setDeaf(true)
		time.Sleep(60 * time.Second)
		if n := count(); n != fed {
			t.Errorf("fed %d times by a deaf engine", n-fed)
		}
		s.engine.setDeaf(false)
		time.Sleep(60 * time.Second)
		if n := count(); n < fed+5 {
			t.Errorf("fed %d times in a minute after it", n-fed)
		}
		s.signals <- syscall.SIGTERM
		s.wait(t, time.Now())
		if got := s.record.words(); got[0] != "ready" || got[len(got)-1] != "stopping" {
			t.Errorf("told %q", got)
		}
	})
}
