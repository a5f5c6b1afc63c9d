package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
)

// orphanLimit is how long anything of ours may live on after the daemon.
const orphanLimit = 2 * time.Second

// ends are the ways in which the daemon, and it alone, is made to end.
var ends = []struct {
	signal syscall.Signal
	status int
	words  string // on standard error, where that is a file or the journal
}{
	{syscall.SIGTERM, 0, ""},
	{syscall.SIGINT, 0, ""},
	{syscall.SIGKILL, -9, ""},
	{syscall.SIGABRT, 2, "SIGABRT: abort"}, // systemd's watchdog
	{syscall.SIGQUIT, 2, "SIGQUIT: quit"},
	{syscall.SIGSEGV, 2, "SIGSEGV: segmentation violation"},
}

// TestNoOrphans ends a daemon in the middle of eight pushes of real rsyncs to a real
// rsyncd. However it ends, nothing of it is left two seconds later.
func TestNoOrphans(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{"concurrency": "8", "rsync_bwlimit": "16"})
	plant(t, c, n, 8, 2<<20)
	for _, target := range c.Nodes[1:] {
		if err := os.Mkdir(target.ObjectsPath(target.Devices[0], 0), 0o755); err != nil { // or rsync fails at once
			t.Fatal(err)
		}
		if err := target.GiveToSwift(); err != nil {
			t.Fatal(err)
		}
		rsyncd(t, c, target)
	}
	for _, end := range ends {
		t.Run(end.signal.String(), func(t *testing.T) {
			words, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
			if err != nil {
				t.Fatal(err)
			}
			defer words.Close()
			p := replicator(t, c, n, func(cmd *exec.Cmd) { cmd.Stderr = words })
			await(t, patience, func() string {
				if count := len(p.offspring("rsync")); count < 8 {
					return fmt.Sprintf("%d rsyncs run", count)
				}
				return ""
			})
			wantNothingLeft(t, p, end.signal, end.status)
			text, err := os.ReadFile(words.Name())
			if err != nil || !strings.HasPrefix(string(text), end.words) || (end.words == "") != (len(text) == 0) {
				t.Errorf("its last words are %.200q, %v", text, err)
			}
		})
	}
}

// wantNothingLeft ends the daemon alone and waits for the end of all its offspring.
func wantNothingLeft(t *testing.T, p *proc, signal syscall.Signal, status int) {
	t.Helper()
	sent := p.signal(t, signal)
	if got := p.ended(t, stopLimit); got != status {
		t.Errorf("status %d, want %d", got, status)
	}
	gone := time.Now()
	await(t, orphanLimit, func() string {
		why := ""
		for _, pid := range marked(p.mark) {
			why += fmt.Sprintf("%d is left: %s\n", pid, cmdline(pid))
		}
		return why
	})
	t.Logf("the daemon ended after %s, the last of its offspring %s later", gone.Sub(sent), time.Since(gone))
}

func cmdline(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.ReplaceAll(string(text), "\x00", " ")
}

func rsyncd(t *testing.T, c *cluster.Cluster, n *cluster.Node) {
	t.Helper()
	start(t, c, nil, "/usr/bin/rsync", "--daemon", "--no-detach", fmt.Sprintf("--config=%s/rsyncd-%d.conf", c.Etc(), n.Number))
	awaitPort(t, n.RsyncAddr())
}

func awaitPort(t *testing.T, addr string) {
	t.Helper()
	await(t, patience, func() string {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err.Error()
		}
		conn.Close()
		return ""
	})
}

// stubborn is an rsync that takes no hint and has a child that takes none either.
const stubborn = `trap '' TERM INT HUP
sh -c 'trap "" TERM INT HUP; exec sleep 600' &
exec sleep 601`

// TestNoOrphansOfStubbornRsync: a stop kills an rsync's whole process group. When
// the daemon is killed itself, nobody is there to do that: the kernel kills its
// children, which for rsync is all there is (a push to an rsyncd has no child of
// its own). What such a child leaves behind only a control group holds together:
// systemd's.
func TestNoOrphansOfStubbornRsync(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{"concurrency": "8"})
	plant(t, c, n, 8, 10)
	for _, end := range ends {
		t.Run(end.signal.String(), func(t *testing.T) {
			p := replicator(t, c, n, standIn(t, stubborn))
			await(t, patience, func() string {
				if count := len(p.offspring("sleep")); count < 16 {
					return fmt.Sprintf("%d processes run", count)
				}
				return ""
			})
			if end.status == 0 {
				wantNothingLeft(t, p, end.signal, end.status)
				return
			}
			p.signal(t, end.signal)
			if got := p.ended(t, stopLimit); got != end.status {
				t.Errorf("status %d, want %d", got, end.status)
			}
			await(t, orphanLimit, func() string {
				for _, pid := range marked(p.mark) {
					if line := cmdline(pid); line == "sleep 601 " {
						return fmt.Sprintf("a child is left: %d", pid)
					}
				}
				return ""
			})
		})
	}
}

// TestRestartAfterKill: after kill -9 in the middle of pushes the next daemon finds
// no lock held and does its work. (test/interop TestStormOfKills does so at length.)
func TestRestartAfterKill(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{"concurrency": "8"})
	plant(t, c, n, 8, 10)
	for range 2 {
		p := replicator(t, c, n, standIn(t, "exec sleep 600"))
		await(t, patience, func() string {
			if count := len(p.offspring("sleep")); count < 8 {
				return fmt.Sprintf("%d rsyncs run", count)
			}
			return ""
		})
		wantNothingLeft(t, p, unix.SIGKILL, -9)
	}
}
