package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

const (
	inTime  = 10 * time.Second // for SIGTERM to end a daemon, on a busy machine
	patient = time.Minute      // for a daemon to say what it must say
)

// daemon is our replicator on one node; after a restart, its successor.
type daemon struct {
	node    *cluster.Node
	options map[string]string
	mutable bool     // faults are allowed: it can be made to reach nobody
	logs    []string // files of all that have run here

	mu  sync.Mutex
	run *cluster.Replicator
}

// ghost is a daemon that has been ended and that a thread holds which hangs in the
// kernel. Its exit status is known when the disk answers.
type ghost struct {
	run  *cluster.Replicator
	what string
	good bool // it must exit with status 0
}

// bounds are options of all daemons: short waits.
var bounds = map[string]string{
	"log_format": "json", "stats_interval": "2", "ring_check_interval": "1",
	"conn_timeout": "2", "http_timeout": "10", "node_timeout": "5", "rsync_timeout": "20", "rsync_io_timeout": "5",
	"probe_interval": "2", "probe_timeout": "4", "device_error_limit": "3", "lockup_timeout": "20",
}

// drawOptions draws what an operator may change without a restart.
func (s *soak) drawOptions() map[string]string {
	return map[string]string{
		"concurrency": pick(s.rnd, "1", "2", "4", "6"), "interval": pick(s.rnd, "1", "2", "2", "3"),
		"sync_method":        pick(s.rnd, "rsync", "ssync"),
		"device_concurrency": pick(s.rnd, "auto", "auto", "1", "2"),
	}
}

func (d *daemon) writeConf() error {
	options := map[string]string{}
	if d.mutable {
		options["faults_allowed"] = "yes"
	}
	for _, from := range []map[string]string{bounds, d.options} {
		for k, v := range from {
			options[k] = v
		}
	}
	return d.node.WriteConf(options)
}

func (d *daemon) current() *cluster.Replicator {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.run
}

func (d *daemon) pid() int { return d.current().PID() }

// start starts a daemon where none runs.
func (s *soak) start(d *daemon) error {
	if err := d.writeConf(); err != nil {
		return err
	}
	run, err := d.node.StartReplicator(s.ours)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.run = run
	d.mu.Unlock()
	d.logs = append(d.logs, run.Output())
	s.samples.restart(d.node.Number)
	s.note("daemon %d runs as %d: %v", d.node.Number, run.PID(), d.options)
	return nil
}

// end ends a daemon by a signal and looks at what is left of it.
func (s *soak) end(ctx context.Context, d *daemon, with syscall.Signal) {
	run, begun, what := d.current(), time.Now(), fmt.Sprintf("daemon %d (%d) after %s", d.node.Number, d.pid(), with)
	if err := run.Signal(with); err != nil {
		s.fault("%s: %v", what, err)
		return
	}
	g := ghost{run: run, what: what, good: with == syscall.SIGTERM}
	if !s.until(ctx, inTime, func() bool { return ended(run) || sick.State(run.PID()) == 'Z' }) {
		s.fault("%s: still runs %s later in state %c, %d threads hang", what, inTime, sick.State(run.PID()), sick.Hanging(run.PID()))
		_ = run.Signal(syscall.SIGQUIT) // its goroutines go to the log
		s.until(ctx, inTime, func() bool { return ended(run) })
		_ = run.Signal(syscall.SIGKILL)
	}
	took := time.Since(begun)
	left := func() (n int) {
		for _, pid := range sick.Running("rsync", "--whole-file", d.node.DevicesRoot()+"/") {
			if state := sick.State(pid); state != 'D' && state != 'Z' && state != 0 {
				n++
			}
		}
		return n
	}
	if !s.until(ctx, inTime, func() bool { return left() == 0 }) {
		s.fault("%s: %d rsyncs are left", what, left())
	}
	if !s.until(ctx, time.Second, func() bool { return ended(run) }) {
		s.note("%s: ended after %.1fs but for %d threads that hang", what, took.Seconds(), sick.Hanging(run.PID()))
		s.ghosts = append(s.ghosts, g)
		return
	}
	s.note("%s: ended after %.1fs", what, took.Seconds())
	s.bury(ctx, g)
}

// bury demands a good end of a daemon that has ended.
func (s *soak) bury(ctx context.Context, g ghost) {
	if err := g.run.Wait(ctx); err != nil && g.good {
		s.fault("%s: %v", g.what, err)
	}
}

// lay waits for the end of all ghosts: every disk answers by now.
func (s *soak) lay(ctx context.Context) {
	for _, g := range s.ghosts {
		if !s.until(ctx, patient, func() bool { return ended(g.run) }) {
			s.fault("%s: %d threads hang although all disks are well", g.what, sick.Hanging(g.run.PID()))
			continue
		}
		s.bury(ctx, g)
	}
	s.ghosts = nil
}

// wantAlive demands that every daemon runs that nobody has ended.
func (s *soak) wantAlive() error {
	for _, d := range s.daemons {
		if !ended(d.current()) {
			continue
		}
		s.fault("daemon %d (%d) has ended by itself: see %s", d.node.Number, d.pid(), d.current().Output())
		if err := s.start(d); err != nil {
			return err
		}
	}
	return nil
}

// reload tells a daemon to read its configuration and rings again, and waits for what
// it says to it.
func (s *soak) reload(ctx context.Context, d *daemon, want string) error {
	run := d.current()
	from := size(run.Output())
	if err := run.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	if !s.until(ctx, patient, func() bool { return said(run.Output(), from, want) }) {
		s.fault("daemon %d (%d) was reloaded and does not say %q", d.node.Number, run.PID(), want)
	}
	return nil
}

func ended(run *cluster.Replicator) bool {
	select {
	case <-run.Done():
		return true
	default:
		return false
	}
}

func size(path string) int64 {
	i, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return i.Size()
}

// said tells whether a log has a text behind a place.
func said(path string, from int64, text string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var rest bytes.Buffer
	if _, err := f.Seek(from, 0); err != nil {
		return false
	}
	if _, err := rest.ReadFrom(f); err != nil && !errors.Is(err, os.ErrClosed) {
		return false
	}
	return bytes.Contains(rest.Bytes(), []byte(text))
}

// until waits until something is so, and tells whether it came to be.
func (s *soak) until(ctx context.Context, limit time.Duration, so func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			return so()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}
