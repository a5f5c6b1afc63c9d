package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// stopLimit is how long a stop may take, whatever hangs.
const stopLimit = 5 * time.Second

// TestStopSignals: what SIGTERM and SIGINT log and tell, and their status. A signal
// that comes in the very instant in which swift-init sees the end of the output is
// as good as any other.
func TestStopSignals(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, nil)
	for _, test := range []struct {
		signal syscall.Signal
		lines  []string // of which %d is the pid
		not    string
	}{
		{syscall.SIGTERM, []string{"SIGTERM received (%d)"}, "Exited"},
		{syscall.SIGINT, []string{"User quit", "Exited %d"}, "SIGTERM"},
	} {
		t.Run(test.signal.String(), func(t *testing.T) {
			for _, early := range []bool{false, true} {
				m := newManager(t)
				p := replicator(t, c, n, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, m.env()) })
				if out := p.output(t); out != "" {
					t.Errorf("it printed %q", out)
				}
				if !early {
					if word := m.next(t); word != "READY=1" {
						t.Errorf("the first word is %q", word)
					}
				}
				sent := p.signal(t, test.signal)
				if status := p.ended(t, patience); status != 0 {
					t.Errorf("early %v: status %d", early, status)
				}
				if took := time.Since(sent); took > stopLimit {
					t.Errorf("early %v: it took %s", early, took)
				}
				if word := m.nextBut(t, "READY=1"); word != "STOPPING=1" {
					t.Errorf("the last word is %q", word)
				}
				lines, err := n.Log.Lines("object-replicator")
				if err != nil {
					t.Fatal(err)
				}
				from := slices.Index(lines, fmt.Sprintf("Starting %d", p.pid))
				for _, line := range test.lines {
					if strings.Contains(line, "%d") {
						line = fmt.Sprintf(line, p.pid)
					}
					if !slices.Contains(lines[from:], line) {
						t.Errorf("early %v: %q is not in the log", early, line)
					}
				}
				if slices.ContainsFunc(lines[from:], func(l string) bool { return strings.HasPrefix(l, test.not) }) {
					t.Errorf("early %v: %s is in the log", early, test.not)
				}
			}
		})
	}
}

// TestWatchdogAndReload: a service manager with a watchdog hears that the engine
// lives, and of every reload its beginning and its end. A configuration that cannot
// be read or used changes nothing; work in flight goes on through all of them.
func TestWatchdogAndReload(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{"concurrency": "2"})
	plant(t, c, n, 1, 10)
	m := newManager(t)
	path := standIn(t, "exec sleep 600")
	p := replicator(t, c, n, func(cmd *exec.Cmd) {
		path(cmd)
		cmd.Env = append(cmd.Env, m.env(), "WATCHDOG_USEC=300000")
	})
	if word := m.next(t); word != "READY=1" {
		t.Errorf("the first word is %q", word)
	}
	for range 6 {
		if word := m.next(t); word != "WATCHDOG=1" {
			t.Errorf("it says %q", word)
		}
	}
	await(t, patience, func() string {
		if len(p.offspring("sleep")) != 1 {
			return "no rsync runs"
		}
		return ""
	})
	rsync := p.offspring("sleep")
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2} { // of no effect
		p.signal(t, s)
		for range 3 { // one may have been on its way
			if word := m.next(t); word != "WATCHDOG=1" {
				t.Errorf("after %s it says %q", s, word)
			}
		}
	}
	reload := func(line string) {
		t.Helper()
		p.signal(t, syscall.SIGHUP)
		if word := m.nextBut(t, "WATCHDOG=1"); !strings.HasPrefix(word, "RELOADING=1\nMONOTONIC_USEC=") {
			t.Errorf("a reload begins with %q", word)
		}
		if word := m.nextBut(t, "WATCHDOG=1"); word != "READY=1" {
			t.Errorf("a reload ends with %q", word)
		}
		logged(t, n, line)
	}
	reload("configuration reloaded")
	write(t, n, map[string]string{"log_level": "INFO", "concurrency": "3"})
	reload(`only a restart changes these options options="[\"log_level\"]"`)
	write(t, n, map[string]string{"concurrency": "many"})
	reload("configuration not reloaded: the old one stays in force error=")
	logged(t, n, "concurrency: ")
	write(t, n, nil)
	if err := os.Chmod(n.ConfPath(), 0o600); err != nil {
		t.Fatal(err)
	}
	reload("Unable to read config from " + n.ConfPath())
	if got := p.offspring("sleep"); !slices.Equal(got, rsync) {
		t.Errorf("the rsync was %v, and now it is %v", rsync, got)
	}
	p.signal(t, syscall.SIGTERM)
	if status := p.ended(t, stopLimit); status != 0 {
		t.Errorf("status %d", status)
	}
}

func write(t *testing.T, n *cluster.Node, options map[string]string) {
	t.Helper()
	if err := n.WriteConf(options); err != nil {
		t.Fatal(err)
	}
}

// TestReaderGoes: JSON lines go to a pipe. Who reads it may end; the daemon works
// on, and is stopped as ever.
func TestReaderGoes(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{"log_format": "json", "log_level": "DEBUG", "interval": "0.01"})
	recon := filepath.Join(n.CachePath(), "object.recon")
	p := replicator(t, c, n, nil)
	changed := func() {
		t.Helper()
		before := ""
		await(t, patience, func() string {
			text, err := os.ReadFile(recon)
			if err != nil {
				return err.Error()
			}
			if before == "" {
				before = string(text)
			}
			if before == string(text) {
				return "it works no more"
			}
			return ""
		})
	}
	changed()
	p.stdout.Close()
	for range 5 {
		changed()
	}
	p.signal(t, syscall.SIGTERM)
	if status := p.ended(t, stopLimit); status != 0 {
		t.Errorf("status %d", status)
	}
}
