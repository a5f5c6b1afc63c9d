package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"understudy/internal/cluster"
	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
)

func socketOf(n *cluster.Node) string {
	return filepath.Join(n.CachePath(), "understudy", "control.sock")
}

// seen waits until the engine of a process answers on a node's control socket.
func seen(t *testing.T, n *cluster.Node, pid int) {
	t.Helper()
	await(t, patience, func() string {
		r, err := control.NewClient(socketOf(n)).Report(t.Context())
		if err != nil {
			return err.Error()
		}
		if r.Program.PID != pid {
			return fmt.Sprintf("process %d answers, not %d", r.Program.PID, pid)
		}
		return ""
	})
}

// TestControlSocket follows the socket of a daemon that root has started: it is
// swift's and nobody else's; a daemon beside it leaves it alone; after a kill -9 the
// next one replaces it; a stop removes it, and a pass in script mode never had one.
func TestControlSocket(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, nil)
	p := replicator(t, c, n, nil)
	seen(t, n, p.pid)
	info, err := os.Lstat(socketOf(n))
	if err != nil {
		t.Fatal(err)
	}
	owner := fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid)
	if info.Mode() != fs.ModeSocket|0o600 || owner != swiftUser(t).Uid {
		t.Errorf("mode %v of user %s", info.Mode(), owner)
	}
	wantRefused(t, socketOf(n))

	other := replicator(t, c, n, nil)
	logged(t, n, "another process listens there")
	seen(t, n, p.pid)
	other.signal(t, syscall.SIGTERM)
	other.ended(t, patience)
	once := replicator(t, c, n, nil, "--once")
	if status := once.ended(t, patience); status != 0 {
		t.Errorf("a pass in script mode: status %d", status)
	}
	seen(t, n, p.pid)

	p.signal(t, syscall.SIGKILL)
	p.ended(t, patience)
	if _, err := os.Lstat(socketOf(n)); err != nil {
		t.Errorf("nothing is left to be replaced: %v", err)
	}
	next := replicator(t, c, n, nil)
	seen(t, n, next.pid)
	next.signal(t, syscall.SIGTERM)
	if status := next.ended(t, patience); status != 0 {
		t.Errorf("status %d", status)
	}
	if _, err := os.Lstat(socketOf(n)); !os.IsNotExist(err) {
		t.Errorf("after a stop: %v", err)
	}
}

// wantRefused: who is neither root nor swift cannot connect.
func wantRefused(t *testing.T, socket string) {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "-c", "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])", socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "PermissionError") {
		t.Errorf("nobody connects: %v\n%s", err, out)
	}
}

// TestSteer: what an operator says over the socket is what the daemon reports, and a
// reload does not undo it.
func TestSteer(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, nil)
	p := replicator(t, c, n, nil)
	seen(t, n, p.pid)
	client := control.NewClient(socketOf(n))
	state := func(want status.State) {
		t.Helper()
		await(t, patience, func() string {
			r, err := client.Report(t.Context())
			if err != nil {
				return err.Error()
			}
			if (r.Verdict.State == status.Paused) != (want == status.Paused) {
				return fmt.Sprintf("it is %s: %s", r.Verdict.State, r.Verdict.Summary)
			}
			return ""
		})
	}
	if _, err := client.Do(t.Context(), status.PauseCommand{Scope: status.ScopeNode}); err != nil {
		t.Fatal(err)
	}
	state(status.Paused)
	p.signal(t, syscall.SIGHUP)
	logged(t, n, "configuration reloaded")
	state(status.Paused)
	if _, err := client.Do(t.Context(), status.ResumeCommand{Scope: status.ScopeNode}); err != nil {
		t.Fatal(err)
	}
	state(status.Healthy)
	var refusal *status.Refusal
	if _, err := client.Do(t.Context(), status.RunPass{Device: "nowhere"}); !errors.As(err, &refusal) || !refusal.Unknown {
		t.Errorf("a device that there is not: %v", err)
	}
	logged(t, n, "an operator's command")
}
