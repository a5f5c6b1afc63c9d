package faults

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"understudy/internal/cluster"
	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
	"understudy/test/faults/sick"
)

// patience bounds every wait for the daemon to do something.
const patience = 40 * time.Second

// inTime is how long the daemon may take to end: five seconds, and two for a busy
// machine.
const inTime = 7 * time.Second

// impatient are options that let a daemon find out soon. Only the time after which a job
// is written off is beyond our patience: that must not be what saves it.
var impatient = map[string]string{
	"interval": "1", "stats_interval": "1", "concurrency": "4",
	"conn_timeout": "1", "http_timeout": "1", "node_timeout": "2", "rsync_timeout": "10", "rsync_io_timeout": "1",
	"probe_interval": "1", "probe_timeout": "2", "device_error_limit": "3", "lockup_timeout": "60",
}

// daemon is our replicator at work on the first node.
type daemon struct {
	*cluster.Replicator
	lab *lab
}

// start starts a daemon that pushes by a method. What earlier ones told recon is
// forgotten. It ends with the test, which must have made its disks well by then.
func (l *lab) start(t *testing.T, method string) *daemon {
	t.Helper()
	options := maps.Clone(impatient)
	options["sync_method"] = method
	must(t, l.node.WriteConf(options))
	must(t, l.node.ForgetRecon())
	r, err := l.node.StartReplicator(ours(t))
	must(t, err)
	d := &daemon{r, l}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// await waits until something is so; so tells how it is, and whether that will do.
func (d *daemon) await(t *testing.T, what string, so func() (string, bool)) {
	t.Helper()
	begun := time.Now()
	for {
		is, done := so()
		if done {
			t.Logf("after %.1fs: %s", time.Since(begun).Seconds(), what)
			return
		}
		select {
		case <-d.Done():
			d.explain(t)
			t.Fatalf("the daemon has ended; still waited for: %s. It is: %s", what, is)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Since(begun) > patience {
			d.explain(t)
			t.Fatalf("waited in vain: %s. It is: %s", what, is)
		}
	}
}

// awaitState waits until recon tells a state of a disk that will do.
func (d *daemon) awaitState(t *testing.T, disk, what string, do func(cluster.DeviceState) bool) {
	t.Helper()
	d.await(t, disk+" is "+what, func() (string, bool) {
		states, err := d.lab.node.DeviceStates()
		if err != nil {
			return err.Error(), false
		}
		s, ok := states[disk]
		return s.String(), ok && do(s)
	})
}

// awaitReport waits until the status that `understudy status` shows says so.
func (d *daemon) awaitReport(t *testing.T, what string, so func(*status.Report) bool) {
	t.Helper()
	socket := filepath.Join(d.lab.node.CachePath(), "understudy", "control.sock")
	d.await(t, what, func() (string, bool) {
		ctx, cancel := context.WithTimeout(t.Context(), inTime)
		defer cancel()
		r, err := control.NewClient(socket).Report(ctx)
		if err != nil {
			return err.Error(), false
		}
		return r.Verdict.Summary, so(r)
	})
}

// awaitTrouble waits until the status names a disk, what ails it and what to do.
func (d *daemon) awaitTrouble(t *testing.T, disk, trouble string) {
	t.Helper()
	d.awaitReport(t, "the status names "+disk+" as "+trouble, func(r *status.Report) bool {
		return r.Verdict.State == status.Degraded && r.Verdict.Action != "" && slices.ContainsFunc(r.Devices, func(d status.Device) bool {
			return d.Name == disk && (d.State == trouble && !d.InService && d.Why != "" || d.Disk == trouble && d.InService) && d.Action != ""
		})
	})
}

// awaitWell waits until the status has no complaint about anything.
func (d *daemon) awaitWell(t *testing.T) {
	t.Helper()
	d.awaitReport(t, "the status has no complaint", func(r *status.Report) bool { return r.Verdict.State == status.Healthy })
}

// awaitLogged waits for a line of the log with all of the words.
func (d *daemon) awaitLogged(t *testing.T, words ...string) {
	t.Helper()
	d.await(t, fmt.Sprintf("the log has a line of %q", words), func() (string, bool) {
		lines, err := d.Logged()
		if err != nil {
			return err.Error(), false
		}
		return "not there", slices.ContainsFunc(lines, func(line string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
		})
	})
}

// awaitWork waits until the chosen objects are where they belong.
func (d *daemon) awaitWork(t *testing.T, what string, choose func(object, cluster.Device) bool) {
	t.Helper()
	d.await(t, what, func() (string, bool) {
		n := d.lab.awaited(choose)
		return fmt.Sprintf("%d copies missing", n), n == 0
	})
}

// end demands that SIGTERM ends the daemon in time and with status 0.
func (d *daemon) end(t *testing.T) {
	t.Helper()
	if d.terminate(t) {
		d.explain(t)
		t.Fatal("threads of the daemon hang although all is well")
	}
}

// terminate demands that SIGTERM ends the daemon in time and leaves nothing behind: it
// has exited with status 0, or has but for threads that hang in the kernel, which
// nobody can end. It tells whether there are such.
func (d *daemon) terminate(t *testing.T) (hanging bool) {
	t.Helper()
	pid, begun := d.PID(), time.Now()
	must(t, d.Signal(syscall.SIGTERM))
	for sick.State(pid) != 'Z' && !d.done(10*time.Millisecond) {
		if time.Since(begun) > inTime {
			d.explain(t)
			t.Fatalf("the daemon has not ended %s after SIGTERM: state %c, %d threads hang", inTime, sick.State(pid), sick.Hanging(pid))
		}
	}
	t.Logf("ended %.1fs after SIGTERM", time.Since(begun).Seconds())
	if d.done(time.Second) {
		d.wantGood(t)
		return false
	}
	t.Logf("%d threads hang", sick.Hanging(pid))
	if n, err := sick.Locks(pid); err != nil || n != 0 {
		t.Errorf("the daemon has ended and still holds %d locks, %v", n, err)
	}
	for _, pid := range d.rsyncs() {
		if s := sick.State(pid); s != 'D' && s != 'Z' && s != 0 {
			t.Errorf("the daemon has left an rsync in state %c", s)
		}
	}
	return true
}

// done tells whether the daemon ends within some time.
func (d *daemon) done(within time.Duration) bool {
	select {
	case <-d.Done():
		return true
	case <-time.After(within):
		return false
	}
}

// rsyncs are those that push from the node's disks.
func (d *daemon) rsyncs() []int { return sick.Running("rsync", d.lab.node.DevicesRoot()+"/") }

// wantGood demands that the daemon has ended, or ends now, with status 0.
func (d *daemon) wantGood(t *testing.T) {
	t.Helper()
	if err := d.Wait(deadline(t)); err != nil {
		t.Error(err)
	}
	// One that a disk has held in the kernel ends when it is let go.
	for begun := time.Now(); len(d.rsyncs()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > inTime {
			t.Fatalf("the daemon has left rsyncs: %d", d.rsyncs())
		}
	}
}

// explain shows what recon and the log say and where the daemon's goroutines are. The
// daemon does not survive it.
func (d *daemon) explain(t *testing.T) {
	t.Helper()
	states, err := d.lab.node.DeviceStates()
	if err != nil {
		t.Log(err)
	}
	for name, s := range states {
		t.Logf("%s %s", name, s)
	}
	lines, err := d.Logged()
	if err != nil {
		t.Log(err)
	}
	var end strings.Builder
	for _, line := range lines[max(0, len(lines)-60):] {
		fmt.Fprintf(&end, "\n%.300s", line)
	}
	t.Logf("last lines of the log:%s", &end)
	if d.Signal(syscall.SIGQUIT) == nil {
		d.done(2 * time.Second) // its threads may hang
		t.Logf("its goroutines are in %s", d.Output())
	}
}
