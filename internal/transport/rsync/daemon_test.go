package rsync

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/transport/conformance"
	"understudy/messages"
)

const (
	patience  = 30 * time.Second
	metaXattr = "user.swift.metadata"
)

// daemon is a real rsync daemon with a module "object".
type daemon struct {
	port  int
	child *process
}

// startDaemon starts one on a port of its own and waits for its greeting.
func startDaemon(t *testing.T, devices, options string) *daemon {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "rsyncd.conf")
	user := ""
	if os.Getuid() == 0 {
		user = "uid = 0\ngid = 0\n"
	}
	text := fmt.Sprintf("use chroot = no\nreverse lookup = no\n%s[object]\npath = %s\nread only = no\nlock file = %s.lock\n%s\n",
		user, devices, conf, options)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 10 { // the port may be taken between its choice and its use
		port := freePort(t)
		out := &output{}
		child := Processes{}.Start([]string{
			"rsync", "--daemon", "--no-detach", "--address=127.0.0.1",
			fmt.Sprintf("--port=%d", port), "--config=" + conf,
		}, out).(*process)
		t.Cleanup(func() { child.Kill(); <-child.Done() })
		if greets(child, port) {
			return &daemon{port: port, child: child}
		}
	}
	t.Fatal("no rsync daemon came up (is rsync installed?)")
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func greets(child *process, port int) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		select {
		case <-child.Done():
			return false
		case <-time.After(5 * time.Millisecond):
		}
		if conn, r, err := greet(port); err == nil {
			_ = conn.Close()
			_ = r
			return true
		}
	}
	return false
}

func greet(port int) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "@RSYNCD:") {
		err = errors.New("no rsync daemon: " + line)
	}
	if err != nil {
		_ = conn.Close()
	}
	return conn, r, err
}

// stop freezes the daemon: connections still open, nobody answers.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	d.child.mu.Lock()
	defer d.child.mu.Unlock()
	if d.child.pid <= 0 {
		t.Fatal("the daemon has ended")
	}
	if err := unix.Kill(-d.child.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// rig is a device here, a device there and a daemon between them.
type rig struct {
	*Transport
	daemon *daemon
	peers  *fakePeers
	log    *logLines
	here   diskSide
	there  diskSide
}

func newRig(t *testing.T, options string, change func(*Config)) *rig {
	t.Helper()
	r := &rig{
		peers: &fakePeers{}, log: &logLines{},
		here:  diskSide{t, filepath.Join(t.TempDir(), "here"), "sda"},
		there: diskSide{t, filepath.Join(t.TempDir(), "there"), "sdb"},
	}
	mustMkdir(t, filepath.Join(r.here.root, "sda", "objects"))
	mustMkdir(t, filepath.Join(r.there.root, "sdb", "objects"))
	r.daemon = startDaemon(t, r.there.root, options)
	cfg := Config{
		Devices: r.here.root, Module: "rsync://{replication_ip}:{replication_port}/object",
		IOTimeout: "30", BWLimit: "0", Timeout: patience, LogTransfers: true,
		Suffixes: existing(r.here.root), Peers: r.peers, Log: zerolog.New(r.log),
	}
	if change != nil {
		change(&cfg)
	}
	r.Transport = mustNew(t, cfg)
	return r
}

func (r *rig) job(part uint32, suffixes ...string) messages.SyncJob {
	return messages.SyncJob{
		Partition: messages.Partition{Device: "sda", Number: part}, Region: 1, Suffixes: suffixes,
		Node: messages.Node{Region: 1, ReplicationIP: "127.0.0.1", ReplicationPort: r.daemon.port, Device: "sdb"},
	}
}

// object puts one object into the source and makes a revert job for it.
func (r *rig) object(part uint32) messages.SyncJob {
	o := conformance.Objects(part, 1)[0]
	r.here.Put(part, o.Path("1700000000.00000", ".data"), o.Data("1700000000.00000", "body"))
	job := r.job(part, o.Suffix)
	job.Handoff = true
	return job
}

// diskSide is a device in a directory.
type diskSide struct {
	t      *testing.T
	root   string
	device string
}

func (s diskSide) dir(part uint32) string {
	return filepath.Join(s.root, messages.Partition{Device: s.device, Number: part}.String())
}

func (s diskSide) Put(part uint32, path string, f conformance.File) {
	s.t.Helper()
	path = filepath.Join(s.dir(part), path)
	mustMkdir(s.t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(f.Data), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := unix.Setxattr(path, metaXattr, []byte(f.Metadata), 0); err != nil {
		s.t.Fatalf("set xattr of %s: %v", path, err)
	}
}

func (s diskSide) Files(part uint32) map[string]conformance.File {
	s.t.Helper()
	dir := s.dir(part)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files := map[string]conformance.File{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		meta := make([]byte, 64<<10)
		n, err := unix.Getxattr(path, metaXattr, meta)
		if err != nil && !errors.Is(err, unix.ENODATA) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = conformance.File{Data: string(data), Metadata: string(meta[:max(n, 0)])}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Fixture {
		r := newRig(t, "", nil)
		device := filepath.Join(r.there.root, r.there.device)
		return conformance.Fixture{
			Transport: r, Job: r.job, Source: r.here, Target: r.there,
			Unmount: func() {
				if err := os.RemoveAll(filepath.Join(device, "objects")); err != nil {
					t.Fatal(err)
				}
			},
			MountPoint: func() []string {
				var names []string
				entries, err := os.ReadDir(device)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					names = append(names, e.Name())
				}
				return names
			},
			Freeze: func() { r.daemon.stop(t) },
		}
	})
}

// failing runs a revert that must be an ordinary failure with rsync's given exit
// code, and checks that the peer was not told of it.
func (r *rig) failing(t *testing.T, job messages.SyncJob, codes ...int) messages.Silence {
	t.Helper()
	res, err := r.Sync(t.Context(), job)
	if res.OK || err != nil {
		t.Fatalf("sync returned %v, %v", res, err)
	}
	if calls := r.peers.calls(); len(calls) > 0 {
		t.Errorf("a failed revert told its peer: %v", calls)
	}
	for _, code := range codes {
		if r.log.has("error", fmt.Sprintf("Bad rsync return code: %d <- ['rsync', ", code)) {
			return res.Silence
		}
	}
	t.Errorf("no exit code of %v in the log: %q", codes, r.log.swift())
	return res.Silence
}

func TestDaemonRefusals(t *testing.T) {
	t.Run("no objects directory", func(t *testing.T) {
		r := newRig(t, "", nil)
		if err := os.Remove(filepath.Join(r.there.root, "sdb", "objects")); err != nil {
			t.Fatal(err)
		}
		r.failing(t, r.object(1), 11)
		if entries, err := os.ReadDir(filepath.Join(r.there.root, "sdb")); err != nil || len(entries) > 0 {
			t.Errorf("the mount point holds %v, %v", entries, err)
		}
	})
	t.Run("no device directory", func(t *testing.T) {
		r := newRig(t, "", nil)
		job := r.object(1)
		job.Node.Device = "sdz"
		r.failing(t, job, 11)
	})
	t.Run("unknown module", func(t *testing.T) {
		r := newRig(t, "", func(c *Config) { c.Module = "rsync://{replication_ip}:{replication_port}/other" })
		r.failing(t, r.object(1), 5)
	})
	t.Run("read only", func(t *testing.T) {
		r := newRig(t, "read only = yes", nil)
		r.failing(t, r.object(1), 1)
	})
	t.Run("refused", func(t *testing.T) {
		r := newRig(t, "", nil)
		job := r.object(1)
		job.Node.ReplicationPort = freePort(t)
		r.failing(t, job, 10)
	})
	t.Run("no daemon in the template", func(t *testing.T) {
		r := newRig(t, "", func(c *Config) { c.Module = "object" })
		r.failing(t, r.object(1), 1)
	})
	t.Run("stopped", func(t *testing.T) {
		r := newRig(t, "", func(c *Config) { c.IOTimeout = "1" })
		r.daemon.stop(t)
		r.failing(t, r.object(1), 30, 35)
	})
}

// A daemon that is busy refuses; the next try is another pass's.
func TestMaxConnections(t *testing.T) {
	r := newRig(t, "max connections = 1", nil)
	occupy(t, r.daemon.port)
	r.failing(t, r.object(1), 5)
	if !r.log.has("error", "max connections") {
		t.Errorf("log: %q", r.log.swift())
	}
}

// What an operator sees of a sync at level debug.
func TestLogOfASync(t *testing.T) {
	r := newRig(t, "", nil)
	job := r.object(1)
	if res, err := r.Sync(t.Context(), job); !res.OK || err != nil {
		t.Fatal(res, err)
	}
	if !r.log.has("debug", ".data") || !r.log.has("info", "Successful rsync of "+r.here.root+"/sda/objects/1/... to rsync://127.0.0.1:") {
		t.Errorf("log: %q", r.log.swift())
	}
	if calls := r.peers.calls(); len(calls) != 1 || calls[0].part != 1 || calls[0].node != job.Node {
		t.Errorf("the peer was told %v", calls)
	}
}

// A peer that cannot be told is an error, whatever rsync did.
func TestUntoldPeer(t *testing.T) {
	r := newRig(t, "", nil)
	r.peers.err = &messages.PeerError{Why: "Connection refused", Err: syscall.ECONNREFUSED}
	job := r.object(1)
	for _, handoff := range []bool{true, false} {
		job.Handoff = handoff
		res, err := r.Sync(t.Context(), job)
		if peer := (*messages.PeerError)(nil); res.OK || !errors.As(err, &peer) {
			t.Errorf("sync returned %v, %v", res, err)
		}
	}
}
