package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second

func python(t *testing.T, program string, prepare func(*exec.Cmd)) string {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "-W", "ignore", "-c", program)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Dir = "/"
	if prepare != nil {
		prepare(cmd)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift's code (is Swift installed?): %v", err)
	}
	return string(out)
}

func as(name string) func(*exec.Cmd) {
	u, err := user.Lookup(name)
	if err != nil {
		panic(err)
	}
	uid, gid, _, err := ids(u)
	if err != nil {
		panic(err)
	}
	return func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
}

// A root process with root's groups becomes the user as Swift's own code does it,
// in each of its threads, old and new.
func TestDropPrivileges(t *testing.T) {
	groups := func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 4, 27}}}
	}
	for _, name := range []string{"swift", "nobody", "daemon", "root"} {
		t.Run(name, func(t *testing.T) {
			want := strings.Split(python(t, fmt.Sprintf(`
import os
from swift.common.utils import drop_privileges
drop_privileges(%q)
status = dict(l.rstrip("\n").split(":", 1) for l in open("/proc/self/status"))
print("|".join([" ".join(status[k].split()) for k in ("Uid", "Gid", "Groups")] + [os.environ["HOME"]]), end="")
`, name), groups), "|")
			s, _ := become(t, "drop "+name, groups)
			if s.Err != "" {
				t.Fatal(s.Err)
			}
			if len(s.Threads) < 7 {
				t.Fatalf("only %d threads: the test proves little", len(s.Threads))
			}
			for _, th := range append(s.Threads, s.Late...) {
				if got := []string{th.UID, th.GID, th.Groups, s.Home}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// The groups of every user of this machine, as Swift finds them.
func TestGroupsAsSwift(t *testing.T) {
	var want map[string][]int
	out := python(t, `
import grp, json, pwd
print(json.dumps({p.pw_name: sorted({g.gr_gid for g in grp.getgrall() if p.pw_name in g.gr_mem} - {p.pw_gid}) for p in pwd.getpwall()}))
`, nil)
	if err := json.Unmarshal([]byte(out), &want); err != nil || len(want) == 0 {
		t.Fatalf("%v in %s", err, out)
	}
	for name, groups := range want {
		u, err := user.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _, got, err := ids(u)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, groups) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, groups)
		}
	}
}

func TestDropPrivilegesWithoutRoot(t *testing.T) {
	s, _ := become(t, "drop swift", as("swift"))
	if s.Err != "" || s.Home == "/unset" {
		t.Errorf("as itself: %q, HOME %s", s.Err, s.Home)
	}
	s, _ = become(t, "drop nobody", as("swift"))
	if want := `drop privileges to user "nobody": set group 65534: operation not permitted`; s.Err != want || s.Home != "/unset" {
		t.Errorf("as another: %q, HOME %s", s.Err, s.Home)
	}
}

func TestDropPrivilegesToNobodyWeKnow(t *testing.T) {
	s, _ := become(t, "drop no-such-user", nil)
	if want := `drop privileges to user "no-such-user": user: unknown user no-such-user`; s.Err != want {
		t.Errorf("got %q", s.Err)
	}
	if s.Threads[0].UID != "0 0 0 0" {
		t.Errorf("the user changed: %s", s.Threads[0].UID)
	}
}

func TestHygiene(t *testing.T) {
	dir := t.TempDir()
	for name, leader := range map[string]bool{"member of a group": false, "leader of a group": true} {
		s, _ := become(t, "hygiene", func(c *exec.Cmd) {
			c.Dir = dir
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: leader}
		})
		if s.Err != "" || s.Dir != "/" || s.Umask != "0022" {
			t.Errorf("%s: %+v", name, s)
		}
		if own := s.Session == s.PID; own == leader {
			t.Errorf("%s: session %d of process %d", name, s.Session, s.PID)
		}
	}
}

func TestUseUTC(t *testing.T) {
	s, _ := become(t, "utc", nil)
	if s.Err != "" || s.TZ != "UTC+0" || s.Zone != "1970-01-01T00:00:00Z" {
		t.Errorf("%+v", s)
	}
	if s, _ := become(t, "hygiene", nil); s.Zone != "1970-01-01T09:00:00+09:00" {
		t.Errorf("the child started in UTC already: %s", s.Zone)
	}
}

func TestPriority(t *testing.T) {
	own := threadState(os.Getpid())
	five := 5
	for _, c := range []struct {
		p        Priority
		nice, io int
		log      []string
	}{
		{Priority{}, own.Nice, own.IOPriority, nil},
		{Priority{Nice: &five}, 5, own.IOPriority, []string{"set nice priority to 5"}},
		{Priority{IOClass: "IOPRIO_CLASS_BE", IOPriority: 6}, own.Nice, 2<<13 | 6, []string{"set ionice class 2 priority 6"}},
		{Priority{Nice: &five, IOClass: "IOPRIO_CLASS_IDLE"}, 5, 3 << 13, []string{"set nice priority to 5", "set ionice class 3 priority 0"}},
		{Priority{IOPriority: 3}, own.Nice, own.IOPriority, nil},
	} {
		argument, _ := json.Marshal(c.p)
		s, out := become(t, "priority "+string(argument), nil)
		if s.Err != "" || out != "" {
			t.Errorf("%s: %q, printed %q", argument, s.Err, out)
		}
		for _, th := range append(s.Threads, s.Late...) {
			if th.Nice != c.nice || th.IOPriority != c.io {
				t.Errorf("%s: %+v", argument, th)
			}
		}
		if got := messages(t, s.Log); !slices.Equal(got, c.log) {
			t.Errorf("%s: logged %q", argument, got)
		}
	}
}

// messages returns the messages of a log; each must be marked as Swift's own.
func messages(t *testing.T, log string) (lines []string) {
	t.Helper()
	for line := range strings.Lines(log) {
		var e struct {
			Message string
			Swift   bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || !e.Swift {
			t.Errorf("%s: %v", line, err)
		}
		lines = append(lines, e.Message)
	}
	return lines
}

// What cannot be set is left, and said so in Swift's words.
func TestPriorityRefused(t *testing.T) {
	minus := -5
	for _, c := range []struct {
		p    Priority
		conf string // for Swift, the same
		log  []string
	}{
		{Priority{Nice: &minus}, `{"nice_priority": "-5"}`, []string{"Unable to modify nice priority: set nice priority -5: permission denied"}},
		{Priority{IOClass: "fast"}, `{"ionice_class": "fast"}`, []string{`Unable to modify ionice priority: set ionice class: no such class: "fast"`}},
		{Priority{IOClass: "IOPRIO_CLASS_BE", IOPriority: -1}, `{"ionice_class": "IOPRIO_CLASS_BE", "ionice_priority": "-1"}`, []string{"Unable to modify ionice priority: set ionice priority: -1 is not in 0-7"}},
		{
			Priority{Nice: &minus, IOClass: "IOPRIO_CLASS_RT"},
			`{"nice_priority": "-5", "ionice_class": "IOPRIO_CLASS_RT"}`,
			[]string{"Unable to modify nice priority: set nice priority -5: permission denied", "Unable to modify ionice priority: set ionice class IOPRIO_CLASS_RT priority 0: operation not permitted"},
		},
	} {
		want := python(t, fmt.Sprintf(`
import json, logging
from swift.common.utils import modify_priority
logging.disable(logging.CRITICAL)
modify_priority(json.loads(%q), logging.getLogger())
`, c.conf), as("nobody"))
		argument, _ := json.Marshal(c.p)
		s, out := become(t, "priority "+string(argument), as("nobody"))
		if out != want || want == "" {
			t.Errorf("%s printed\n%q, want\n%q", argument, out, want)
		}
		if got := messages(t, s.Log); !slices.Equal(got, c.log) {
			t.Errorf("%s logged %q", argument, got)
		}
		if s.Threads[0].Nice != threadState(os.Getpid()).Nice {
			t.Errorf("%s: %+v", argument, s.Threads[0])
		}
	}
}

// readAll reads to the end of the file, which must come while the child lives.
func readAll(t *testing.T, f *os.File) string {
	t.Helper()
	if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatalf("no end of file: %v", err)
	}
	return string(b)
}

func TestRedirectStdio(t *testing.T) {
	r := start(t, "redirect", nil)
	if r.state.Err != "" {
		t.Fatal(r.state.Err)
	}
	if out, errs := readAll(t, r.stdout), readAll(t, r.stderr); out != "" || errs != "" {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
	for fd := range 3 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", r.state.PID, fd)); err != nil || to != os.DevNull {
			t.Errorf("descriptor %d: %s, %v", fd, to, err)
		}
	}
	if status := r.finish(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestRedirectStdioKeepsStderr(t *testing.T) {
	r := start(t, "redirect keep", nil)
	if out := readAll(t, r.stdout); r.state.Err != "" || out != "" {
		t.Errorf("%s, stdout %q", r.state.Err, out)
	}
	r.finish()
	if errs := readAll(t, r.stderr); errs != "on stderr\n" {
		t.Errorf("stderr %q", errs)
	}
}

// A crash after the redirection is told in a file or in the journal, where stderr
// was one of these, and nowhere else.
func TestLastWords(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fds[1], &st); err != nil {
		t.Fatal(err)
	}
	journal := fmt.Sprintf("JOURNAL_STREAM=%d:%d", st.Dev, st.Ino)
	crash := func(stderr *os.File, env string) string {
		r := start(t, "panic", func(c *exec.Cmd) {
			c.Env = append(c.Env, env)
			if stderr != nil {
				c.Stderr = stderr
			}
		})
		if status := r.finish(); status != 2 {
			t.Errorf("status %d", status)
		}
		return readAll(t, r.stderr)
	}
	if errs := crash(nil, journal); errs != "" {
		t.Errorf("a pipe got %q", errs)
	}
	crash(file, journal)
	if b, err := os.ReadFile(file.Name()); err != nil || !strings.HasPrefix(string(b), "panic: last words\n") {
		t.Errorf("the file got %q, %v", b, err)
	}
	crash(theirs, "JOURNAL_STREAM=1:1")
	crash(theirs, journal)
	theirs.Close()
	b, err := io.ReadAll(ours)
	if err != nil || !strings.HasPrefix(string(b), "panic: last words\n") || strings.Count(string(b), "panic: last words\n") != 1 {
		t.Errorf("the journal got %q, %v", b, err)
	}
}

func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// The service manager and the process's own socket hear the same, but for the
// watchdog's food, which is the manager's.
func TestNotify(t *testing.T) {
	abstract := "@understudy-test-" + strconv.Itoa(os.Getpid())
	for _, name := range []string{t.TempDir() + "/notify", abstract} {
		manager, own := listen(t, name), listen(t, SocketName(os.Getpid()))
		t.Setenv("NOTIFY_SOCKET", name)
		hear := func(conn *net.UnixConn) string {
			b := make([]byte, 100)
			n, err := conn.Read(b)
			if err != nil {
				t.Errorf("%s: %v", conn.LocalAddr(), err)
			}
			return string(b[:n])
		}
		for _, c := range []struct {
			want   string
			notify func() error
			all    bool
		}{
			{"READY=1", NotifyReady, true}, {"STOPPING=1", NotifyStopping, true}, {"WATCHDOG=1", NotifyAlive, false}, {"READY=1", NotifyReady, true},
		} {
			if err := c.notify(); err != nil {
				t.Error(err)
			}
			if got := hear(manager); got != c.want {
				t.Errorf("the manager got %q, want %s", got, c.want)
			}
			if !c.all {
				continue
			}
			if got := hear(own); got != c.want {
				t.Errorf("the own socket got %q, want %s", got, c.want)
			}
		}
		if err := NotifyReloading(); err != nil {
			t.Error(err)
		}
		got := hear(manager)
		usec, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(got, "RELOADING=1\nMONOTONIC_USEC="), "\n"), 10, 64)
		var clock unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock); err != nil {
			t.Fatal(err)
		}
		if age := time.Duration(clock.Nano() - usec*1000); err != nil || age < 0 || age > patience {
			t.Errorf("%q is %s old, %v", got, age, err)
		}
		if again := hear(own); again != got {
			t.Errorf("the own socket got %q", again)
		}
		if os.Getenv("NOTIFY_SOCKET") != name {
			t.Error("the variable is gone")
		}
		own.Close()
	}
}

// fill sends datagrams from a socket of its own until there is no room, and tells how many.
func fill(t *testing.T, name string) (sent int) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(socket) })
	for ; ; sent++ {
		if err := unix.Sendto(socket, []byte("READY=1"), 0, &unix.SockaddrUnix{Name: name}); errors.Is(err, unix.EAGAIN) {
			return sent
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A manager that does not read is not waited for.
func TestNotifyFull(t *testing.T) {
	name := t.TempDir() + "/notify"
	listen(t, name)
	t.Setenv("NOTIFY_SOCKET", name)
	// What waits for the manager may be more than one socket can send (systemd makes it 512).
	for sent := 1; sent > 0; {
		sent = fill(t, name)
	}
	answer := make(chan error, 1)
	go func() { answer <- NotifyReady() }()
	select {
	case err := <-answer:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error("it waits for the manager")
	}
}

func TestNotifyNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := NotifyReady(); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", "/no/such/socket")
	if err := NotifyReady(); err == nil || !strings.Contains(err.Error(), "/no/such/socket") {
		t.Errorf("got %v", err)
	}
}
