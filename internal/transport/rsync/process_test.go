package rsync

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"understudy/messages"
)

const helperEnv = "RSYNC_TEST_HELPER_DEVICES"

// TestMain lets the test binary be the daemon that is killed.
func TestMain(m *testing.M) {
	if devices := os.Getenv(helperEnv); devices != "" {
		tr, err := New(fakeConfig(devices, &fakePeers{}, &logLines{}))
		if err != nil {
			panic(err)
		}
		_, err = tr.Sync(context.Background(), fakeJob(true))
		panic(err)
	}
	// The thread that starts processes is meant to stay.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("understudy/internal/transport/rsync.(*Thread).run"))
}

func fakeConfig(devices string, peers Peers, log *logLines) Config {
	return Config{
		Devices: devices, Module: "10.0.0.1::object", IOTimeout: "30", BWLimit: "0", Timeout: patience,
		LogTransfers: true, Suffixes: existing(devices), Peers: peers, Log: zerolog.New(log),
	}
}

func fakeJob(handoff bool) messages.SyncJob {
	return messages.SyncJob{
		Partition: messages.Partition{Device: "sda", Number: 1}, Region: 1, Suffixes: []string{"abc"}, Handoff: handoff,
		Node: messages.Node{Region: 1, ReplicationIP: "10.0.0.1", ReplicationPort: 6200, Device: "sdb"},
	}
}

// fakeRig is a Transport whose rsync is a script.
type fakeRig struct {
	*Transport
	peers *fakePeers
	log   *logLines
	bin   string
}

func newFakeRig(t *testing.T, script string, change func(*Config)) *fakeRig {
	t.Helper()
	r := &fakeRig{peers: &fakePeers{}, log: &logLines{}, bin: fakeOnPath(t)}
	devices := t.TempDir()
	mustMkdir(t, filepath.Join(devices, "sda/objects/1/abc"))
	t.Setenv("RSYNC_SCRIPT", script)
	t.Setenv("NOTES", r.bin)
	cfg := fakeConfig(devices, r.peers, r.log)
	if change != nil {
		change(&cfg)
	}
	r.Transport = mustNew(t, cfg)
	return r
}

// pid waits for a script to note a process.
func (r *fakeRig) pid(t *testing.T, name string) int { return awaitPid(t, filepath.Join(r.bin, name)) }

func awaitPid(t *testing.T, path string) int {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		data, _ := os.ReadFile(path)
		if text, ok := strings.CutSuffix(string(data), "\n"); ok {
			pid, err := strconv.Atoi(text)
			if err != nil || pid <= 1 {
				t.Fatalf("%s holds %q", path, text)
			}
			return pid
		}
	}
	t.Fatalf("%s was never written", path)
	return 0
}

// awaitDeath waits until a process has ended; a zombie has.
func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return
		}
		if _, rest, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X") {
			return
		}
	}
	t.Errorf("process %d lives on", pid)
	_ = unix.Kill(pid, unix.SIGKILL)
}

// An rsync that ignores every polite signal, with a child that holds its output.
const stubborn = `trap '' TERM INT HUP
sh -c 'trap "" TERM INT HUP; echo $$ >$NOTES/grandchild; while :; do sleep 60; done' &
echo $$ >$NOTES/child
while :; do sleep 60; done`

// The timeout kills the whole group and counts as exit code 1.
func TestTimeoutKillsTheGroup(t *testing.T) {
	clock := newStepClock()
	r := newFakeRig(t, stubborn, func(c *Config) { c.Clock, c.Timeout = clock, 900*time.Second })
	done := syncing(r.Transport, t.Context(), fakeJob(true))
	child, grandchild := r.pid(t, "child"), r.pid(t, "grandchild")
	clock.fire(t, 900*time.Second)
	if a := await(t, done); a.res.OK || a.err != nil {
		t.Errorf("sync returned %v, %v", a.res, a.err)
	}
	awaitDeath(t, child)
	awaitDeath(t, grandchild)
	if !r.log.has("error", "Killing long-running rsync after 900s: ['rsync', '--recursive', ") || len(r.peers.calls()) > 0 || r.Stuck() != 0 {
		t.Errorf("log %q, peer told %v, stuck %d", r.log.swift(), r.peers.calls(), r.Stuck())
	}
}

func TestCancelKillsTheGroup(t *testing.T) {
	r := newFakeRig(t, stubborn, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := syncing(r.Transport, ctx, fakeJob(false))
	child, grandchild := r.pid(t, "child"), r.pid(t, "grandchild")
	cancel()
	if a := await(t, done); a.res.OK || !errors.Is(a.err, context.Canceled) {
		t.Errorf("sync returned %v, %v", a.res, a.err)
	}
	awaitDeath(t, child)
	awaitDeath(t, grandchild)
	if len(r.peers.calls()) > 0 {
		t.Error("a cancelled sync told its peer")
	}
}

func TestCloseKillsEveryGroup(t *testing.T) {
	r := newFakeRig(t, stubborn, nil)
	done := syncing(r.Transport, t.Context(), fakeJob(false))
	child, grandchild := r.pid(t, "child"), r.pid(t, "grandchild")
	r.Close()
	if a := await(t, done); a.res.OK || !errors.Is(a.err, ErrClosed) {
		t.Errorf("sync returned %v, %v", a.res, a.err)
	}
	awaitDeath(t, child)
	awaitDeath(t, grandchild)
	if res, err := r.Sync(t.Context(), fakeJob(false)); res.OK || !errors.Is(err, ErrClosed) {
		t.Errorf("a sync after the end returned %v, %v", res, err)
	}
	r.Close()
}

// Close returns when what it has killed has ended, or, where something hangs in the
// kernel, without it. The process may end right after it.
func TestCloseWaitsAMoment(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		child := &stuckChild{started: make(chan struct{}, 10), killed: make(chan struct{}, 10)}
		r := newFakeRig(t, "", func(c *Config) { c.Spawn = child })
		done := syncing(r.Transport, t.Context(), fakeJob(true))
		awaitSignal(t, child.started, "start")
		var ended atomic.Bool
		if !hangs {
			time.AfterFunc(closeWait/10, func() {
				ended.Store(true)
				child.end()
			})
		}
		closed := make(chan bool, 1)
		go func() {
			r.Close()
			closed <- ended.Load()
		}()
		select {
		case after := <-closed:
			if after == hangs {
				t.Errorf("hangs %v: the child had ended: %v", hangs, after)
			}
		case <-time.After(patience):
			t.Fatal("Close waits for ever")
		}
		if hangs {
			child.end()
		}
		if a := await(t, done); !errors.Is(a.err, ErrClosed) {
			t.Errorf("sync returned %v, %v", a.res, a.err)
		}
	}
}

// What a child leaves in its group dies with it, and does not hold up its result.
func TestLeftBehind(t *testing.T) {
	r := newFakeRig(t, `sh -c 'echo $$ >$NOTES/grandchild; while :; do sleep 60; done' &
while [ ! -s $NOTES/grandchild ]; do :; done; echo done`, nil)
	if res, err := r.Sync(t.Context(), fakeJob(true)); !res.OK || err != nil {
		t.Errorf("sync returned %v, %v", res, err)
	}
	awaitDeath(t, r.pid(t, "grandchild"))
	if !r.log.has("debug", "done") {
		t.Errorf("log: %q", r.log.swift())
	}
}

// A process that left the group may keep the output open: nobody waits for it.
func TestEscapedOutput(t *testing.T) {
	r := newFakeRig(t, `setsid sh -c 'echo $$ >$NOTES/grandchild; exec sleep 600' &
while [ ! -s $NOTES/grandchild ]; do :; done; echo done; exit 23`, nil)
	res, err := r.Sync(t.Context(), fakeJob(true))
	pid := r.pid(t, "grandchild")
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Errorf("kill the process that escaped: %v", err)
	}
	if res.OK || err != nil || !r.log.has("error", "Bad rsync return code: 23 <- ") {
		t.Errorf("sync returned %v, %v, log %q", res, err, r.log.swift())
	}
}

// A child that not even a kill ends is written off: its caller goes on, it is
// counted, and forgotten when it ends after all.
func TestStuckChild(t *testing.T) {
	clock := newStepClock()
	child := &stuckChild{started: make(chan struct{}, 10), killed: make(chan struct{}, 10)}
	r := newFakeRig(t, "", func(c *Config) { c.Clock, c.Spawn = clock, child })
	for _, end := range []func(cancel func()){
		func(func()) { clock.fire(t, patience) },
		func(cancel func()) { cancel() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := syncing(r.Transport, ctx, fakeJob(true))
		awaitSignal(t, child.started, "start")
		end(cancel)
		awaitSignal(t, child.killed, "kill")
		clock.fire(t, afterKill)
		if a := await(t, done); a.res.OK {
			t.Errorf("sync returned %v, %v", a.res, a.err)
		}
		cancel()
		if r.Stuck() != 1 {
			t.Errorf("%d are stuck", r.Stuck())
		}
		r.mu.Lock()
		live := len(r.live)
		r.mu.Unlock()
		if live != 1 {
			t.Errorf("%d are live", live)
		}
		child.end()
		for e := time.Now().Add(patience); r.Stuck() != 0 && time.Now().Before(e); {
			time.Sleep(time.Millisecond)
		}
		if r.Stuck() != 0 {
			t.Error("still counted as stuck")
		}
	}
}

func TestNoRsync(t *testing.T) {
	r := newFakeRig(t, "", nil)
	t.Setenv("PATH", t.TempDir())
	res, err := r.Sync(t.Context(), fakeJob(false))
	if res.OK || !errors.Is(err, exec.ErrNotFound) || len(r.peers.calls()) > 0 {
		t.Errorf("sync returned %v, %v; peer told %v", res, err, r.peers.calls())
	}
}

// A lock that we hold must not live on in a child.
func TestNoDescriptorsLeak(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	r := newFakeRig(t, `readlink /proc/$$/fd/* >$NOTES/fds; exit 0`, nil)
	if res, err := r.Sync(t.Context(), fakeJob(true)); !res.OK || err != nil {
		t.Fatal(res, err)
	}
	fds, err := os.ReadFile(filepath.Join(r.bin, "fds"))
	if err != nil || !strings.Contains(string(fds), "pipe:") || strings.Contains(string(fds), f.Name()) {
		t.Errorf("the child holds (%v)\n%s", err, fds)
	}
}

// kill -9 of the whole daemon leaves no rsync. The daemon is this test binary,
// started anew.
func TestParentDeath(t *testing.T) {
	bin := fakeOnPath(t)
	devices := t.TempDir()
	mustMkdir(t, filepath.Join(devices, "sda/objects/1/abc"))
	for range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), helperEnv+"="+devices, "NOTES="+bin, "RSYNC_SCRIPT=echo $$ >$NOTES/child; while :; do sleep 1; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		child := awaitPid(t, filepath.Join(bin, "child"))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		awaitDeath(t, child)
		if err := os.Remove(filepath.Join(bin, "child")); err != nil {
			t.Fatal(err)
		}
	}
}

// A child may be killed before it has been started.
func TestKillAtOnce(t *testing.T) {
	for range 50 {
		c := Processes{}.Start([]string{"sleep", "600"}, &output{})
		c.Kill()
		c.Kill()
		select {
		case <-c.Done():
		case <-time.After(patience):
			t.Fatal("a killed child lives on")
		}
		if code, err := c.Exit(); code != -9 && !errors.Is(err, errKilledFirst) {
			t.Fatalf("it ended with %d, %v", code, err)
		}
	}
}
