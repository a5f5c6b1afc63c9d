package process

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
)

// TestStart looks at a daemon that root has started with everything to shed: a
// configuration and a ring that only root can read, priorities that only root may
// give, root's groups, a umask, a working directory, a time zone. At the end of its
// output it is all that it will be; its rsyncs are the same.
func TestStart(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{
		"nice_priority": "-3", "ionice_class": "IOPRIO_CLASS_RT", "ionice_priority": "6", "lockup_timeout": "1e3", "run_pause": "40",
	})
	plant(t, c, n, 1, 10)
	for _, path := range []string{n.ConfPath(), c.RingPath(0)} {
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	notes := filepath.Join(c.Root, "cache", "notes")
	path := standIn(t, fmt.Sprintf(`umask 0022; { pwd; echo $TZ; echo $HOME; umask; } >%[1]s.new; mv %[1]s.new %[1]s; exec sleep 600`, notes))
	if err := os.Chmod(filepath.Dir(notes), 0o777); err != nil {
		t.Fatal(err)
	}
	m := newManager(t)
	p := start(t, c, func(cmd *exec.Cmd) {
		path(cmd)
		cmd.Dir = c.Etc()
		cmd.Env = append(cmd.Env, "TZ=Asia/Tokyo", "HOME=/unset", m.env())
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 4, 27}}}
	}, "sh", "-c", `umask 077; exec "$@"`, "sh", program(t), filepath.Base(n.ConfPath()))
	if out := p.output(t); out != "" {
		t.Errorf("it printed %q", out)
	}
	wantShed(t, p)
	if word := m.next(t); word != "READY=1" {
		t.Errorf("the first word is %q", word)
	}
	await(t, patience, func() string {
		if _, err := os.Stat(notes); err != nil {
			return "no rsync runs"
		}
		return ""
	})
	got, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/\nUTC+0\n" + swiftUser(t).HomeDir + "\n0022\n"; string(got) != want {
		t.Errorf("an rsync sees %q, want %q", got, want)
	}
	wantPriorities(t, p)
	wantOrder(t, n, p)
	p.signal(t, syscall.SIGTERM)
	if status := p.ended(t, patience); status != 0 {
		t.Errorf("status %d", status)
	}
}

func swiftUser(t *testing.T) *user.User {
	t.Helper()
	u, err := user.Lookup(cluster.User)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// wantShed looks at what the process has kept of root, in each of its threads.
func wantShed(t *testing.T, p *proc) {
	t.Helper()
	u := swiftUser(t)
	groups, err := u.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == u.Gid })
	for _, tid := range threads(t, p.pid) {
		for key, want := range map[string]string{
			"Uid": strings.Repeat(" "+u.Uid, 4)[1:], "Gid": strings.Repeat(" "+u.Gid, 4)[1:], "Groups": strings.Join(groups, " "), "Umask": "0022",
		} {
			if got := field(t, p.pid, tid, key); got != want {
				t.Errorf("thread %d: %s is %q, want %q", tid, key, got, want)
			}
		}
	}
	if sid, err := unix.Getsid(p.pid); err != nil || sid != p.pid {
		t.Errorf("its session is %d, %v, not its own %d", sid, err, p.pid)
	}
	if group, err := unix.Getpgid(p.pid); err != nil || group != p.pid {
		t.Errorf("its group is %d, %v", group, err)
	}
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.pid)); err != nil || dir != "/" {
		t.Errorf("it works in %s, %v", dir, err)
	}
	for fd := range 3 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", p.pid, fd)); err != nil || to != os.DevNull {
			t.Errorf("descriptor %d is %s, %v", fd, to, err)
		}
	}
}

func threads(t *testing.T, pid int) (tids []int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		tids = append(tids, tid)
	}
	return tids
}

// wantPriorities looks at every thread of the daemon, after it has worked, and at
// its children.
func wantPriorities(t *testing.T, p *proc) {
	t.Helper()
	pids := marked(p.mark)
	if len(pids) != 2 {
		t.Errorf("not the daemon and an rsync: %v", pids)
	}
	for _, pid := range pids {
		for _, tid := range threads(t, pid) {
			nice, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
			if err != nil || 20-nice != -3 {
				t.Errorf("thread %d of %d: nice %d, %v", tid, pid, 20-nice, err)
			}
			io, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(tid), 0)
			if errno != 0 || io != 1<<13|6 {
				t.Errorf("thread %d of %d: ionice %#x, %v", tid, pid, io, errno)
			}
		}
	}
}

// wantOrder looks at the first lines of the log: Swift's, in Swift's order.
func wantOrder(t *testing.T, n *cluster.Node, p *proc) {
	t.Helper()
	lines, err := n.Log.Lines("object-replicator")
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, want := range []string{
		"set nice priority to -3", "set ionice class 1 priority 6", fmt.Sprintf("Starting %d", p.pid), "run_pause",
		"Starting object replicator in daemon mode.", "Starting object replication pass.",
	} {
		next := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, want) })
		if next <= at {
			t.Errorf("%q is line %d, after line %d", want, next, at)
		}
		at = next
	}
}

// TestStartErrors: what stops a start is told on the standard error, with status 1,
// and the service manager never hears that it was ready.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, nil)
	conf, err := os.ReadFile(n.ConfPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, old, new string
		prints         string
		starting       bool // "Starting" was logged before
	}{
		{"a bad value", "concurrency = 4", "concurrency = four", "concurrency", false},
		{"an unknown user", "user = swift", "user = no-such-user", `drop privileges to user "no-such-user"`, true},
		{"no ring", "[object-replicator]", "[object-replicator]\nswift_dir = /nowhere", "/nowhere/object.ring.gz", true},
		{"no section", "[object-replicator]", "[object-replicant]", "Unable to find object-replicator config section in " + n.ConfPath(), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(string(conf), test.old, test.new, 1)
			if err := os.WriteFile(n.ConfPath(), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			m := newManager(t)
			p := replicator(t, c, n, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, m.env()) })
			out := p.output(t)
			if status := p.ended(t, patience); status != 1 || !strings.Contains(out, test.prints) {
				t.Errorf("status %d, printed %q", status, out)
			}
			lines, err := n.Log.Lines("object-replicator")
			if err != nil {
				t.Fatal(err)
			}
			if started := slices.Contains(lines, fmt.Sprintf("Starting %d", p.pid)); started != test.starting {
				t.Errorf("logged that it starts: %v", started)
			}
			if err := m.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Read(make([]byte, 100)); !os.IsTimeout(err) {
				t.Errorf("the service manager heard of it: %v", err)
			}
		})
	}
}
