package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"understudy/internal/observe/status"
	"understudy/messages"
)

// What an operator asks of a running engine has its effect: real engines, servers and
// files, both transports.

func (d *daemon) do(c status.Command) *status.Done {
	d.Helper()
	done, err := d.engine.Do(d.Context(), c)
	if err != nil {
		d.Fatalf("%T: %v", c, err)
	}
	return done
}

func (d *daemon) report() *status.Report {
	d.Helper()
	r, err := d.engine.Report(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	return r
}

func (d *daemon) device(name string) status.Device {
	d.Helper()
	for _, one := range d.report().Devices {
		if one.Name == name {
			return one
		}
	}
	d.Fatalf("no device %s", name)
	return status.Device{}
}

// emptied is a cluster of two nodes of which the second has lost everything, and how
// many bytes the first is to push.
func emptied(t *testing.T, method string, objects int, options map[string]string) (*Cluster, *History, int64) {
	t.Helper()
	all := map[string]string{"sync_method": method, "interval": "3600", "concurrency": "2"}
	for k, v := range options {
		all[k] = v
	}
	c := newCluster(t, Spec{Nodes: 2, Disks: 2, Replicas: 2, PartPower: 5, Seed: 3, Options: all})
	h := seed(t, c, objects)
	var bytes int64
	for _, disk := range []string{"d1", "d2"} {
		p := Place{c.Node(2), disk}
		_, n := c.Held(h, p)
		bytes += n
		if err := c.Lose(p); err != nil {
			t.Fatal(err)
		}
		// The first pass of its own engine would make it; rsync waits for that.
		if err := os.Mkdir(filepath.Join(c.Node(2).DevicesRoot(), disk, "objects"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return c, h, bytes
}

// A bound of the node's bytes holds, and is lifted while pushes are on their way.
func TestByteLimit(t *testing.T) {
	for _, method := range []string{"rsync", "ssync"} {
		t.Run(method, func(t *testing.T) {
			c, h, bytes := emptied(t, method, 120, nil)
			limit := bytes / 5
			c.Node(1).Config.BytesPerSecond = int(limit)
			begun := time.Now()
			d := runDaemon(t, c.Node(1))
			d.until("half is pushed", func() bool { return d.report().Totals.Bytes > bytes/2 })
			r := d.report()
			spent := r.At.Sub(begun).Seconds()
			rate := float64(r.Totals.Bytes) / spent
			t.Logf("%d of %d bytes in %.1f s: %.2f of the limit", r.Totals.Bytes, bytes, spent, rate/float64(limit))
			// Two jobs may be ahead by a block, or with rsync by what they have to push.
			if ahead := float64(bytes / 5); float64(r.Totals.Bytes) > float64(limit)*spent*1.1+ahead {
				t.Errorf("%d bytes in %.1f s, the limit is %d a second", r.Totals.Bytes, spent, limit)
			}
			d.do(status.SetLimits{Bytes: new(int64)})
			if r := d.report(); len(r.Settings.Differ) != 1 || r.Settings.Profile != messages.ProfileCustom {
				t.Errorf("settings %+v", r.Settings)
			}
			d.passes(1)
			if v := check(t, c, h); v.Counts[Lost]+v.Counts[Wrong]+v.Counts[Short] > 0 {
				t.Errorf("in the end: %s", v)
			}
			if got := d.report().Totals.Bytes; got < bytes*9/10 || got > bytes*11/10 {
				t.Errorf("%d bytes were counted, %d were to be pushed", got, bytes)
			}
		})
	}
}

// A paused device sends nothing once its jobs in flight have ended; the other goes on.
func TestPausedDeviceSendsNothing(t *testing.T) {
	c, h, bytes := emptied(t, "ssync", 120, nil)
	c.Node(1).Config.DeviceBytesPerSecond = int(bytes / 8)
	d := runDaemon(t, c.Node(1))
	d.until("both disks push", func() bool { return d.device("d1").Totals.Bytes > 0 && d.device("d2").Totals.Bytes > 0 })
	d.do(status.PauseCommand{Scope: status.ScopeDevice, Name: "d1"})
	if r := d.report(); r.Verdict.State != status.Paused || d.device("d1").Paused == nil {
		t.Errorf("verdict %+v", r.Verdict)
	}
	d.until("d1 is quiet", func() bool { return len(d.device("d1").InFlight) == 0 })
	before, other := d.device("d1").Totals.Bytes, d.device("d2").Totals.Bytes
	d.do(status.SetLimits{DeviceBytes: new(int64)})
	d.until("d2 goes on", func() bool { now := d.device("d2"); return now.Totals.Bytes > other && now.Passes == 1 })
	if now := d.device("d1"); now.Totals.Bytes != before || now.Passes != 0 {
		t.Errorf("the paused device sent %d bytes, ended %d passes", now.Totals.Bytes-before, now.Passes)
	}
	d.do(status.ResumeCommand{Scope: status.ScopeDevice, Name: "d1"})
	d.passes(1)
	if v := check(t, c, h); v.Counts[Lost]+v.Counts[Wrong]+v.Counts[Short] > 0 {
		t.Errorf("in the end: %s", v)
	}
}

// A paused peer is not asked and not pushed to, and counts as one that fails.
func TestPausedPeer(t *testing.T) {
	c, h, _ := emptied(t, "ssync", 120, nil)
	d := runDaemon(t, c.Node(1))
	d.do(status.PauseCommand{Scope: status.ScopePeer, Name: c.Node(2).IP})
	d.until("the first passes end", func() bool { return d.device("d1").Passes > 0 && d.device("d2").Passes > 0 })
	before := d.report().Totals.Bytes // of jobs that were faster than the pause
	d.do(status.RunPass{})
	d.passes(1)
	r := d.report()
	if r.Totals.Bytes != before || r.Devices[0].Pass.Stats.Failure == 0 {
		t.Errorf("%d bytes went to the paused peer; pass %+v", r.Totals.Bytes-before, r.Devices[0].Pass.Stats)
	}
	if len(r.Peers) != 1 || r.Peers[0].Breaker != "paused" || r.Peers[0].Name != c.Node(2).IP {
		t.Errorf("peers %+v", r.Peers)
	}
	d.do(status.ResumeCommand{Scope: status.ScopePeer, Name: c.Node(2).IP})
	if n := d.do(status.Retry{}).Count; n == 0 {
		t.Error("nothing to retry after a pass without its peer")
	}
	d.passes(1)
	if v := check(t, c, h); v.Counts[Lost]+v.Counts[Wrong]+v.Counts[Short] > 0 {
		t.Errorf("in the end: %s", v)
	}
}

// Commands that make no sense, or name what there is not, change nothing.
func TestRefusedCommands(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 2, Disks: 1, Replicas: 2, PartPower: 2, Seed: 3, Options: map[string]string{"sync_method": "ssync"}})
	d := runDaemon(t, c.Node(1))
	before := d.report().Settings
	few, negative, nothing := int64(99), -1, 0
	for _, one := range []struct {
		c       status.Command
		unknown bool
	}{
		{status.PauseCommand{Scope: status.ScopeDevice, Name: "sdz"}, true},
		{status.PauseCommand{Scope: status.ScopeDevice, Name: "../d1"}, true},
		{status.PauseCommand{Scope: status.ScopePolicy, Name: "7"}, true},
		{status.PauseCommand{Scope: status.ScopePeer, Name: "10.1.2.3"}, true},
		{status.PauseCommand{Scope: "moon"}, false},
		{status.PauseCommand{Scope: status.ScopeNode, For: -time.Second}, false},
		{status.ResumeCommand{Scope: status.ScopeNode}, false},
		{status.RunPass{Device: "sdz"}, true},
		{status.Retry{Device: "sdz"}, true},
		{status.Front{Policy: 3, Partitions: []uint32{1}}, true},
		{status.Front{Partitions: []uint32{4}}, true},
		{status.Front{}, false},
		{status.SetLimits{Bytes: &few}, false},
		{status.SetLimits{Jobs: &nothing}, false},
		{status.SetLimits{DeviceJobs: &negative}, false},
		{status.SetProfile{Profile: "turbo"}, true},
		{status.SetProfile{Profile: messages.ProfileDrain, For: -1}, false},
	} {
		_, err := d.engine.Do(t.Context(), one.c)
		var refusal *status.Refusal
		if !errors.As(err, &refusal) || refusal.Unknown != one.unknown || refusal.Why == "" {
			t.Errorf("%T %+v: %v", one.c, one.c, err)
		}
	}
	if after := d.report().Settings; after.Limits != before.Limits || after.Profile != before.Profile {
		t.Errorf("settings %+v, before %+v", after, before)
	}
}

// Settings that are to be kept are in force in the next process; others are not, and a
// file that makes no sense is told.
func TestKeptSettings(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 2, Disks: 1, Replicas: 2, PartPower: 2, Seed: 3, Options: map[string]string{"sync_method": "ssync"}})
	jobs, rate := 3, int64(1<<20)
	run := func(test func(d *daemon)) {
		t.Run("process", func(t *testing.T) { test(runDaemon(t, c.Node(1))) })
	}
	run(func(d *daemon) { d.do(status.SetLimits{Jobs: &jobs, Bytes: &rate, Persist: true}) })
	run(func(d *daemon) {
		if s := d.report().Settings; s.Limits.Jobs != 3 || s.Limits.Bytes != 1<<20 || !s.Stored || len(s.Differ) != 2 {
			d.Errorf("settings %+v", s)
		}
		d.do(status.SetProfile{Profile: messages.ProfileDrain, For: time.Hour})
		if s := d.report().Settings; !s.Limits.HandoffsFirst || s.Until.IsZero() || s.Stored {
			d.Errorf("settings %+v", s)
		}
	})
	run(func(d *daemon) {
		if s := d.report().Settings; s.Profile != messages.ProfileBalanced || len(s.Differ) != 0 {
			d.Errorf("settings %+v", s)
		}
		d.do(status.SetLimits{Jobs: &jobs, Persist: true})
		d.do(status.SetLimits{Reset: true})
		if s := d.report().Settings; s.Profile != messages.ProfileBalanced || s.Stored {
			d.Errorf("settings %+v", s)
		}
	})
}

// Partitions go first in the pass in which they are brought forward.
func TestFrontWhileItRuns(t *testing.T) {
	c, _, bytes := emptied(t, "ssync", 120, map[string]string{"concurrency": "1"})
	c.Node(1).Config.BytesPerSecond = int(bytes / 8)
	d := runDaemon(t, c.Node(1))
	d.until("it pushes", func() bool { return d.report().Totals.Bytes > 0 })
	d.do(status.PauseCommand{Scope: status.ScopeNode})
	d.until("it is quiet", func() bool { return len(d.device("d1").InFlight)+len(d.device("d2").InFlight) == 0 })
	waiting := d.device("d1").Waiting
	if waiting < 2 {
		t.Fatalf("only %d partitions wait", waiting)
	}
	var all []uint32
	for n := range uint32(32) {
		all = append(all, n)
	}
	// Of all partitions only those that wait on d1 are brought forward.
	done := d.do(status.Front{Device: "d1", Partitions: all})
	if done.Count != waiting {
		t.Errorf("%d brought forward, %d waited", done.Count, waiting)
	}
	d.do(status.SetLimits{Bytes: new(int64)})
	d.do(status.ResumeCommand{Scope: status.ScopeNode})
	d.passes(1)
	if d.device("d1").Pass.Jobs != d.device("d1").Pass.Done {
		t.Errorf("pass %s", strconv.Itoa(d.device("d1").Pass.Done))
	}
}
