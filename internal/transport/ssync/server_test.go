package ssync

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"understudy/internal/cluster"
	"understudy/internal/transport/conformance"
)

// patience is not what is measured: a test that waits so long has failed.
const patience = 60 * time.Second

// server is a real Swift object server with a device sdb and an /etc/swift of its own.
type server struct {
	t     *testing.T
	root  string // above the device
	port  int
	child *cluster.Forked
	log   string     // a path
	own   *ownServer // it is ours instead, in this process
}

// forker starts them in milliseconds: Swift is imported once for all tests. It ends
// with this process.
var forker = sync.OnceValues(cluster.StartForker)

func startServer(t *testing.T, options ...string) *server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a Swift object server with an /etc/swift of its own needs root (mount namespace)")
	}
	s := &server{t: t, root: filepath.Join(t.TempDir(), "there")}
	etc := filepath.Join(t.TempDir(), "etc")
	mustMkdir(t, etc)
	mustMkdir(t, filepath.Join(s.device(), "objects"))
	mustWrite(t, filepath.Join(s.device(), ".ismount"), "")
	mustWrite(t, filepath.Join(etc, "swift.conf"),
		"[swift-hash]\nswift_hash_path_suffix = "+conformance.HashPathSuffix+"\n[storage-policy:0]\nname = gold\ndefault = yes\n")
	for range 10 { // the port may be taken between its choice and its use
		s.port = freePort(t)
		mustWrite(t, filepath.Join(etc, "object-server.conf"), fmt.Sprintf(`[DEFAULT]
devices = %s
mount_check = true
bind_ip = 127.0.0.1
bind_port = %d
user = root
workers = 0
log_statsd_host =
disable_fallocate = true
fallocate_reserve = 0
reclaim_age = 3153600000
[pipeline:main]
pipeline = object-server
[app:object-server]
use = egg:swift#object
%s
`, s.root, s.port, strings.Join(options, "\n")))
		if s.start(etc) {
			t.Cleanup(s.stop)
			return s
		}
	}
	t.Fatalf("no object server came up (is swift-object-server installed?), see:\n%s", s.output())
	return nil
}

func (s *server) device() string { return filepath.Join(s.root, "sdb") }

func (s *server) start(etc string) bool {
	f, err := forker()
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = filepath.Join(s.t.TempDir(), "log")
	s.child, err = f.Start(etc, "", s.log, "/usr/bin/swift-object-server", filepath.Join(etc, "object-server.conf"), "verbose")
	if err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		select {
		case <-s.child.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", s.port)); err == nil {
			_ = conn.Close()
			return true
		}
	}
	s.stop()
	return false
}

func (s *server) stop() {
	s.child.Signal(syscall.SIGKILL)
	<-s.child.Done()
}

// freeze stops the server; the kernel still accepts connections to it.
func (s *server) freeze() {
	if s.own != nil {
		s.own.freeze()
		return
	}
	s.child.Signal(syscall.SIGSTOP)
}

func (s *server) output() string {
	if s.own != nil {
		return s.own.log.String()
	}
	text, _ := os.ReadFile(s.log)
	return string(text)
}

// empty takes all objects away.
func (s *server) empty() {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.device(), "objects")); err != nil {
		s.t.Fatal(err)
	}
	mustMkdir(s.t, filepath.Join(s.device(), "objects"))
}

// unmount takes the device away and leaves its empty mount point.
func (s *server) unmount() {
	s.t.Helper()
	if err := os.RemoveAll(s.device()); err != nil {
		s.t.Fatal(err)
	}
	mustMkdir(s.t, s.device())
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func mustMkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t testing.TB, path, text string) {
	t.Helper()
	mustMkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		all = append(all, rel)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}
