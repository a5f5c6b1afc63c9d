package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
)

// swiftInit is what Swift's command of that name does with its arguments. Debian
// ships the module, where all of it is, without the command. Each line of its input
// is a command for a process of its own, a fork; Swift is imported once.
const swiftInit = `
import json, os, signal, sys, tempfile, traceback
from swift.common.manager import Manager

def swift_init(command, options):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    known = dict(verbose=False, wait=True, once=False, daemon=True, graceful=False, number=0,
                 kill_wait=15, strict=None, kill_after_timeout=False)
    known.update(options)
    return 1 if Manager(['object-replicator'], run_dir='/var/run/swift').run_command(command, **known) else 0

if len(sys.argv) > 1:
    sys.exit(swift_init(sys.argv[1], {}))
for line in sys.stdin:
    out = tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            status = swift_init(*json.loads(line))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    out.seek(0)
    print(json.dumps({'status': os.waitstatus_to_exitcode(status), 'output': out.read().decode()}), flush=True)
`

// inits runs swift-init against a node's configuration.
type inits struct {
	t       *testing.T
	c       *cluster.Cluster
	run     string // is /var/run there
	python  *proc
	asks    *os.File
	answers *json.Decoder
}

func newInits(t *testing.T, c *cluster.Cluster) *inits {
	t.Helper()
	in := &inits{t: t, c: c, run: filepath.Join(c.Root, "run", "var")}
	if err := os.MkdirAll(filepath.Join(in.run, "swift"), 0o755); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	t.Cleanup(func() { write.Close() })
	in.asks = write
	in.python = in.start(func(cmd *exec.Cmd) { cmd.Stdin = read })
	in.answers = json.NewDecoder(in.python.stdout)
	return in
}

// start starts the program in which the commands are. Its mark is on what they start.
func (in *inits) start(prepare func(*exec.Cmd), args ...string) *proc {
	in.t.Helper()
	argv := append([]string{"sh", "-c", `mount --bind "$0" /run && exec "$@"`, in.run, "/usr/bin/python3", "-W", "ignore", "-B", "-c", swiftInit}, args...)
	return start(in.t, in.c, func(cmd *exec.Cmd) {
		for i, v := range cmd.Env {
			if path, ok := strings.CutPrefix(v, "PATH="); ok {
				cmd.Env[i] = "PATH=" + filepath.Dir(program(in.t)) + ":" + path
			}
		}
		prepare(cmd)
	}, argv...)
}

// do runs a command to its end and returns its status and output.
func (in *inits) do(command string, options map[string]any) (int, string) {
	in.t.Helper()
	if options == nil {
		options = map[string]any{}
	}
	if err := json.NewEncoder(in.asks).Encode([]any{command, options}); err != nil {
		in.t.Fatal(err)
	}
	if err := in.python.stdout.SetReadDeadline(time.Now().Add(patience)); err != nil {
		in.t.Fatal(err)
	}
	var answer struct {
		Status int
		Output string
	}
	if err := in.answers.Decode(&answer); err != nil {
		in.t.Fatalf("swift-init %s: %v", command, err)
	}
	// A container may not let even root raise this; it is nothing of the daemon's.
	answer.Output = strings.Replace(answer.Output, "WARNING: Unable to modify file descriptor limit.  Running as non-root?\n", "", 1)
	return answer.Status, answer.Output
}

// want runs a command and compares its output; of %d in it there is a pid each.
func (in *inits) want(status int, command string, options map[string]any, format string, pids ...any) {
	in.t.Helper()
	got, out := in.do(command, options)
	if want := fmt.Sprintf(format, pids...); got != status || out != want {
		in.t.Errorf("%s %v: status %d and\n%swant status %d and\n%s", command, options, got, out, status, want)
	}
}

// pid reads a pid file.
func (in *inits) pid(file string) int {
	in.t.Helper()
	text, err := os.ReadFile(filepath.Join(in.run, "swift", file))
	if err != nil {
		in.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil || pid < 2 {
		in.t.Fatalf("%s holds %q", file, text)
	}
	return pid
}

func (in *inits) wantGone(pid int) {
	in.t.Helper()
	await(in.t, patience, func() string {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) || dead(string(stat)) {
			return ""
		}
		return fmt.Sprintf("%d lives", pid)
	})
}

const comm = "swift-object-re" // as the kernel cuts our program's name

const oneConf = "/etc/swift/object-server.conf"

// newInit is a node whose configuration is where swift-init looks for it.
func newInit(t *testing.T) *inits {
	t.Helper()
	c, n := newNode(t, nil)
	if err := os.Rename(n.ConfPath(), filepath.Join(c.Etc(), "object-server.conf")); err != nil {
		t.Fatal(err)
	}
	return newInits(t, c)
}

// TestSwiftInit goes through the life of a daemon with swift-init.
func TestSwiftInit(t *testing.T) {
	t.Parallel()
	in := newInit(t)
	in.want(1, "status", nil, "No object-replicator running\n")
	in.want(0, "start", nil, "Starting object-replicator...("+oneConf+")\n")
	pid := in.pid("object-replicator.pid")
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("the session of %d is %d, %v", pid, sid, err)
	}
	in.wantLimits(pid)
	in.want(0, "status", nil, "object-replicator running (%d - "+oneConf+")\n", pid)
	in.want(1, "start", nil, "object-replicator running (%d - "+oneConf+")\nobject-replicator already started...\n", pid)
	if err := unix.Kill(pid, unix.SIGHUP); err != nil {
		t.Error(err)
	}
	logged(t, in.c.Nodes[0], "configuration reloaded")
	in.want(0, "status", nil, "object-replicator running (%d - "+oneConf+")\n", pid)

	// This daemon is none of those that swift-init reloads by SIGHUP.
	signal, stopped := "Signal object-replicator  pid: %d  signal: 15\n", "object-replicator (%d) appears to have stopped\n"
	in.want(0, "reload", nil, signal+stopped+"Starting object-replicator...("+oneConf+")\n", pid, pid)
	in.wantGone(pid)
	pid = in.pid("object-replicator.pid")
	in.want(0, "shutdown", nil, signal+stopped, pid, pid)
	in.wantGone(pid)
	in.want(1, "stop", nil, "No object-replicator running\n")
	in.want(0, "kill", nil, "No object-replicator running\nNo object-replicator running\n")
}

// TestSwiftInitAfterKill: a daemon that was killed leaves a pid file that stops
// nobody; one that does not move is killed with its process group.
func TestSwiftInitAfterKill(t *testing.T) {
	t.Parallel()
	in := newInit(t)
	in.want(0, "start", map[string]any{"verbose": true}, "Starting object-replicator...("+oneConf+")\n")
	pid := in.pid("object-replicator.pid")
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	in.wantGone(pid)
	in.want(1, "status", nil, "No object-replicator running\n")
	in.want(0, "no_wait", nil, "Starting object-replicator...("+oneConf+")\n")
	pid = in.pid("object-replicator.pid")
	logged(t, in.c.Nodes[0], fmt.Sprintf("Starting %d", pid))
	await(t, patience, func() string { // swift-init kills the group that it leads
		if group, err := unix.Getpgid(pid); err != nil || group != pid {
			return fmt.Sprintf("%d leads no process group: it is in %d, %v", pid, group, err)
		}
		return ""
	})
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	in.want(1, "stop", map[string]any{"kill_wait": 1, "kill_after_timeout": true},
		"Signal object-replicator  pid: %d  signal: 15\nWaited 1 seconds for object-replicator to die; killing\n"+
			"Signal object-replicator  pid: %d  signal: 9\n", pid, pid)
	in.wantGone(pid)
}

// TestSwiftInitOnce: once waits for the end of the pass and says nothing more; a
// start that fails shows why and has its status; no_daemon shows the log until its
// user quits.
func TestSwiftInitOnce(t *testing.T) {
	t.Parallel()
	in := newInit(t)
	in.want(0, "once", nil, "Running object-replicator once...("+oneConf+")\n")
	pid := in.pid("object-replicator.pid")
	logged(t, in.c.Nodes[0], fmt.Sprintf("Exited %d", pid))
	in.want(1, "status", nil, "No object-replicator running\n")

	p := in.start(func(*exec.Cmd) {}, "no_daemon")
	logged(t, in.c.Nodes[0], "Starting object replication pass.")
	pid = in.pid("object-replicator.pid")
	p.signal(t, syscall.SIGINT)
	out := p.output(t)
	p.ended(t, patience)
	if !strings.Contains(out, "object-replicator: Starting object replication pass.") || !strings.Contains(out, "user quit") {
		t.Errorf("no_daemon printed %q", out)
	}
	in.wantGone(pid)

	conf := filepath.Join(in.c.Etc(), "object-server.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, append(text, "interval = soon\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	status, out := in.do("start", nil)
	if status != 1 || !strings.Contains(out, "interval: ") || !strings.Contains(out, "soon") {
		t.Errorf("a start that fails: status %d after %s and\n%s", status, time.Since(begin), out)
	}
}

// wantLimits looks at what swift-init has set, and that the daemon lives with it.
func (in *inits) wantLimits(pid int) {
	in.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		in.t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, rest, ok := strings.Cut(line, "  "); ok {
			found[name] = strings.Join(strings.Fields(rest), " ")
		}
	}
	for name, want := range map[string]string{
		"Max data size": "2147483648 2147483648 bytes", "Max processes": "8192 8192 processes",
	} {
		if found[name] != want {
			in.t.Errorf("%s is %q", name, found[name])
		}
	}
}

// TestSwiftInitNumbers: four servers on one machine, as the probe tests have them.
func TestSwiftInitNumbers(t *testing.T) {
	t.Parallel()
	c, _ := newNode(t, nil)
	if err := os.Mkdir(filepath.Join(c.Etc(), "object-server"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, n := range c.Nodes {
		if err := os.Rename(n.ConfPath(), filepath.Join(c.Etc(), "object-server", fmt.Sprintf("%d.conf", i+1))); err != nil {
			t.Fatal(err)
		}
	}
	in := newInits(t, c)
	const conf = "/etc/swift/object-server/%d.conf"
	starting, signal, stopped, running := "Starting object-replicator...("+conf+")\n", "Signal object-replicator  pid: %d  signal: 15\n",
		"object-replicator (%d) appears to have stopped\n", "object-replicator running (%d - "+conf+")\n"
	in.want(0, "start", map[string]any{"number": 2}, starting, 2)
	two := in.pid("object-replicator/2.pid")
	in.want(0, "status", nil, running, two, 2)
	in.want(1, "stop", map[string]any{"number": 1}, "No object-replicator running\n")
	in.want(0, "stop", nil, signal+stopped, two, two)
	in.want(0, "start", nil, strings.Repeat(starting, 4), 1, 2, 3, 4)
	seen := map[int]bool{}
	for i := range c.Nodes {
		seen[in.pid(fmt.Sprintf("object-replicator/%d.pid", i+1))] = true
	}
	if live := in.python.offspring(comm); len(seen) != 4 || len(live) != 4 {
		t.Errorf("of %v there live %v", seen, live)
	}
	if status, out := in.do("stop", nil); status != 0 || strings.Count(out, "appears to have stopped") != 4 {
		t.Errorf("stop: status %d and\n%s", status, out)
	}
	once := "Running object-replicator once...(" + conf + ")\n"
	in.want(0, "once", nil, strings.Repeat(once, 4), 1, 2, 3, 4)
	in.want(0, "once", map[string]any{"number": 3}, once, 3)
	if left := in.python.offspring(comm); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
