package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"understudy/internal/swift/hashes"
)

// patience is not what is measured: a test that waits so long has failed.
const patience = 60 * time.Second

// server is "understudy serve" as a process of its own.
type server struct {
	*exec.Cmd
	address string
	log     *logBuffer
	manager *net.UnixConn // what the service manager is told
	ended   chan error
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startServer serves a devices directory with one device d1 and one suffix in
// partition 7, and returns when the service manager has been told.
func startServer(t *testing.T, options string) *server {
	t.Helper()
	dir := t.TempDir()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	object := filepath.Join(dir, "srv/d1/objects/7/abc/"+strings.Repeat("0", 29)+"abc")
	if err := os.MkdirAll(object, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(object, "1700000000.00000.data"): "",
		filepath.Join(dir, "swift.conf"):               "[swift-hash]\nswift_hash_path_suffix = x\n",
		filepath.Join(dir, "server.conf"): fmt.Sprintf("[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %d\nuser = %s\ndevices = %s/srv\nmount_check = no\n"+
			"recon_cache_path = %s\nlog_format = console\nlog_level = DEBUG\n[app:object-server]\n%s\n", port, me.Username, dir, dir, options),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	s := &server{
		Cmd: exec.Command(os.Args[0]), address: fmt.Sprintf("127.0.0.1:%d", port), log: &logBuffer{}, manager: manager, ended: make(chan error, 1),
	}
	s.Args = []string{"understudy", "serve", "--swift-conf", filepath.Join(dir, "swift.conf"), filepath.Join(dir, "server.conf")}
	s.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	s.Stderr = s.log
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		s.ended <- s.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = s.Process.Kill()
		<-done
	})
	if got := s.word(t); !strings.HasPrefix(got, "READY=1") {
		t.Fatalf("told %q\n%s", got, s.log)
	}
	return s
}

// word is the next that the service manager is told.
func (s *server) word(t *testing.T) string {
	t.Helper()
	_ = s.manager.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 1000)
	n, err := s.manager.Read(buf)
	if err != nil {
		t.Fatalf("the service manager hears nothing: %v\n%s", err, s.log)
	}
	return string(buf[:n])
}

func (s *server) exit(t *testing.T) int {
	t.Helper()
	select {
	case err := <-s.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return s.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("it has not ended\n%s", s.log)
	}
	return -1
}

// lines are the log lines of Swift's, with the pid as PID.
func (s *server) notices() (found []string) {
	for line := range strings.Lines(s.log.String()) {
		if _, text, ok := strings.Cut(line, "NOTICE"); ok {
			found = append(found, strings.ReplaceAll(strings.TrimSpace(text), fmt.Sprint(s.Process.Pid), "PID"))
		}
	}
	return found
}

func (s *server) ask(t *testing.T, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A server answers, logs as Swift's servers do, and ends by SIGTERM with status 0.
func TestServe(t *testing.T) {
	s := startServer(t, "")
	status, body := s.ask(t, "REPLICATE", "/d1/7")
	if m, err := hashes.DecodeWire([]byte(body)); status != 200 || err != nil || len(m["abc"]) != 32 {
		t.Errorf("%d %v %v", status, m, err)
	}
	for _, ask := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/healthcheck", 200},
		{"GET", "/recon/diskusage", 200},
		{"GET", "/recon/version", 200},
		{"GET", "/d1/7/a/c/o", 405},
		{"REPLICATE", "/d2/7", 507},
	} {
		if status, _ := s.ask(t, ask.method, ask.path); status != ask.status {
			t.Errorf("%s %s: %d", ask.method, ask.path, status)
		}
	}
	_ = s.Process.Signal(syscall.SIGTERM)
	if got := s.word(t); got != "STOPPING=1" {
		t.Errorf("told %q", got)
	}
	if code := s.exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got, want := s.notices(), []string{"SIGTERM received (PID)", "Exited (PID)"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if want := `"REPLICATE /d1/7" 200 `; !strings.Contains(s.log.String(), want) || !strings.Contains(s.log.String(), `] "GET /d1/7/a/c/o" 405 `) {
		t.Errorf("no line of requests in\n%s", s.log)
	}
	if _, err := net.Dial("tcp", s.address); err == nil {
		t.Error("somebody listens")
	}
}

// SIGHUP stops taking connections at once, so that a successor can have the
// address, and ends when what is at work has ended; SIGTERM after it, at once.
func TestServeGracefully(t *testing.T) {
	for _, impatient := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := startServer(t, "pass_to = "+l.Addr().String())
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "PUT /d1/7/a/c/o HTTP/1.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		backend, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer backend.Close()
		_ = s.Process.Signal(syscall.SIGHUP)
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			free, err := net.Listen("tcp", s.address)
			if err == nil {
				_ = free.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the address is not free: %v", err)
			}
		}
		if impatient {
			_ = s.Process.Signal(syscall.SIGTERM)
		} else {
			if _, err := io.WriteString(backend, "done\n"); err != nil {
				t.Fatal(err)
			}
			_ = backend.Close()
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "done\n" {
				t.Errorf("%q, %v", line, err)
			}
			_ = c.Close()
		}
		if code := s.exit(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if got, want := s.notices(), []string{"SIGHUP received (PID)", "Exited (PID)"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
}

// An address that is in use is waited for.
func TestServeWaitsForItsAddress(t *testing.T) {
	s := startServer(t, "")
	other := exec.Command(os.Args[0])
	other.Args = s.Args
	errs := &logBuffer{}
	other.Stderr = errs
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	_ = s.Process.Signal(syscall.SIGINT)
	if code := s.exit(t); code != 0 || s.notices()[0] != "User quit" {
		t.Errorf("exit code %d, %q", code, s.notices())
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		// An answer, not only a connection: the kernel takes those before the signals are
		// listened for.
		r, err := http.Get("http://" + s.address + "/healthcheck")
		if err == nil {
			_ = r.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the second has not taken the address: %v\n%s", err, errs)
		}
	}
	_ = other.Process.Signal(syscall.SIGTERM)
	if err := other.Wait(); err != nil {
		t.Errorf("%v\n%s", err, errs)
	}
}
