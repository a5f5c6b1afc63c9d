package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
)

const partPower = 6

// newNode makes a cluster of four nodes with one device each and returns its first
// node, with these options of [object-replicator]. Nothing runs on it.
func newNode(t *testing.T, options map[string]string) (*cluster.Cluster, *cluster.Node) {
	t.Helper()
	c, err := cluster.New(within(t), cluster.Spec{
		Base: scratch, Nodes: 4, Devices: 1, Replicator: options,
		Policies: []cluster.Policy{{Index: 0, Name: "gold", PartPower: partPower}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			lines, _ := c.Nodes[0].Log.Lines("object-replicator")
			t.Logf("the last lines of the log:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, c.Nodes[0]
}

// proc is a program that a test has started.
type proc struct {
	*exec.Cmd
	pid    int
	mark   string        // in the environment of the program and of all its offspring
	stdout *os.File      // read end
	done   chan struct{} // closed when it has been reaped
}

var marks atomic.Int64

// start runs a program in a mount namespace of its own, in which the cluster's
// folder is /etc/swift; the pid is the program's own. Its standard output is a
// pipe, and so is its standard error unless prepare says otherwise.
func start(t *testing.T, c *cluster.Cluster, prepare func(*exec.Cmd), argv ...string) *proc {
	t.Helper()
	// WATCHDOG_PID as systemd sets it.
	script := `mount --bind "$0" /etc/swift && WATCHDOG_PID=$$ exec "$@"`
	p := &proc{
		Cmd:  exec.Command("unshare", append([]string{"-m", "--propagation", "private", "sh", "-c", script, c.Etc()}, argv...)...),
		mark: fmt.Sprintf("UNDERSTUDY_TEST_MARK=%d-%d.", os.Getpid(), marks.Add(1)), done: make(chan struct{}),
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = read
	p.Stdout, p.Stderr = write, write
	p.Env = append(os.Environ(), p.mark)
	if prepare != nil {
		prepare(p.Cmd)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	p.pid = p.Process.Pid
	go func() {
		_ = p.Wait() // the status is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		for _, pid := range marked(p.mark) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		<-p.done
		read.Close()
	})
	return p
}

// replicator starts ours on a node.
func replicator(t *testing.T, c *cluster.Cluster, n *cluster.Node, prepare func(*exec.Cmd), args ...string) *proc {
	t.Helper()
	return start(t, c, prepare, append([]string{program(t), n.ConfPath()}, args...)...)
}

func (p *proc) signal(t *testing.T, s syscall.Signal) time.Time {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatalf("send %s: %v", s, err)
	}
	return time.Now()
}

// ended waits for the program's end and returns its status, -N for signal N.
func (p *proc) ended(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Fatalf("it has not ended within %s", limit)
	}
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}

// output reads the program's output to the end of file, which must come soon.
func (p *proc) output(t *testing.T) string {
	t.Helper()
	if err := p.stdout.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := p.stdout.WriteTo(&out); err != nil {
		t.Fatalf("no end of its output: %v", err)
	}
	return out.String()
}

// marked are the live processes that have the mark; a zombie is none.
func marked(mark string) (pids []int) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(err)
	}
	for _, dir := range dirs {
		env, err := os.ReadFile(dir + "/environ")
		if err != nil || !slices.Contains(strings.Split(string(env), "\x00"), mark) {
			continue
		}
		if stat, err := os.ReadFile(dir + "/stat"); err != nil || dead(string(stat)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			panic(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func dead(stat string) bool {
	_, rest, _ := strings.Cut(stat, ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// offspring are the marked processes whose program has this name.
func (p *proc) offspring(comm string) (pids []int) {
	for _, pid := range marked(p.mark) {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if strings.TrimSpace(string(name)) == comm {
			pids = append(pids, pid)
		}
	}
	return pids
}

// field is a line of a thread's status.
func field(t *testing.T, pid, tid int, key string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	t.Fatalf("no %s in the status of %d", key, pid)
	return ""
}

// logged waits for a line that contains the text.
func logged(t *testing.T, n *cluster.Node, text string) {
	t.Helper()
	await(t, patience, func() string {
		lines, err := n.Log.Lines("object-replicator")
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) }) {
			return ""
		}
		return fmt.Sprintf("%q has not been logged", text)
	})
}

// manager is a service manager that listens.
type manager struct{ *net.UnixConn }

func newManager(t *testing.T) manager {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, path := range []string{name, filepath.Dir(name), filepath.Dir(filepath.Dir(name))} {
		if err := os.Chmod(path, 0o777); err != nil { // the daemon is no longer root when it speaks
			t.Fatal(err)
		}
	}
	return manager{conn}
}

func (m manager) env() string { return "NOTIFY_SOCKET=" + m.LocalAddr().String() }

// next is the next word that is told.
func (m manager) next(t *testing.T) string {
	t.Helper()
	if err := m.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := m.Read(b)
	if err != nil {
		t.Fatalf("the service manager hears nothing: %v", err)
	}
	return string(b[:n])
}

// nextBut is the next word that is not this one.
func (m manager) nextBut(t *testing.T, not string) string {
	t.Helper()
	for {
		if word := m.next(t); word != not {
			return word
		}
	}
}
