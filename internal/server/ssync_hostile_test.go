package server_test

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/server"
	"understudy/internal/store"
	"understudy/internal/swift/metadata"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// target is one receiver of ours with a device sda1 and one sdb1.
type target struct {
	t       *testing.T
	root    string
	log     *lines
	address string
}

func newTarget(t *testing.T, tune func(*server.Config)) *target {
	t.Helper()
	x := &target{t: t, root: t.TempDir(), log: &lines{}}
	for _, device := range []string{"sda1", "sdb1"} {
		if err := os.Mkdir(filepath.Join(x.root, device), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	x.address = ssyncServer(t, x.root, x.log, tune)
	return x
}

// serves checks that a session goes well, on some device.
func (x *target) serves(device string) {
	x.t.Helper()
	name := fmt.Sprintf("/a/c/good%d", time.Now().UnixNano())
	if s := tell(x.t, x.address, "/"+device+"/9", false, nil, begin, putReq(name, "body"), end); !s.whole || !strings.HasSuffix(s.body, end) {
		x.t.Errorf("no service on %s: %+v\n%s", device, s, x.log)
	}
}

// raw sends bytes after a head and returns all that is answered.
func (x *target) raw(body string) string {
	x.t.Helper()
	c, err := net.Dial("tcp", x.address)
	if err != nil {
		x.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	go func() {
		_, _ = io.WriteString(c, "SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+body)
	}()
	answer, _ := io.ReadAll(c)
	return string(answer)
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// What no sender of good will sends ends its session, is in the log, and nothing else
// comes of it.
func TestHostileBytes(t *testing.T) {
	x := newTarget(t, nil)
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ what, body, logged, said string }{
		{"a line without end", chunk(long), "missing_check start: missing newline", ""},
		{"a line without end in pieces", strings.Repeat(chunk(strings.Repeat("x", 1000)), 100), "missing newline", ""},
		{"a huge chunk size", "ffffffffffffffffff\r\n", "read failed in ssync.Receiver", ""},
		{"no chunk size", "zz\r\n", "read failed in ssync.Receiver", ""},
		{"an endless chunk size", strings.Repeat("0", 1<<20), "read failed in ssync.Receiver", ""},
		{"chunks of nothing but extensions", chunk(begin) + strings.Repeat("1;"+strings.Repeat("x", 4000)+"\r\nx\r\n", 100), "", ""},
		{"endless headers", chunk(begin + "PUT /a/c/o\r\n" + strings.Repeat("X-Object-Sysmeta-A: "+strings.Repeat("x", 60_000)+"\r\n", 50)), "", `:ERROR: 0 'Headers too long for PUT /a/c/o'`},
		{"a header without end", chunk(begin + "PUT /a/c/o\r\nX: " + long), "updates line: missing newline", ""},
		{"a negative length", chunk(begin + "PUT /a/c/o\r\nContent-Length: -1\r\n\r\n"), "", ":ERROR: 0 'Invalid content-length -1 for PUT /a/c/o'"},
		{"a length without measure", chunk(begin + "PUT /a/c/o\r\nContent-Length: 99999999999999999999999\r\n\r\n"), "", ":ERROR: 0 "},
		{"a path for a hash", chunk(":MISSING_CHECK: START\r\n../../../../etc " + at0 + "\r\n"), "", ":ERROR: 0 "},
		{"a quoted path for a hash", chunk(":MISSING_CHECK: START\r\n%2e%2e%2f%2e%2e%2f " + at0 + "\r\n"), "", ":ERROR: 0 "},
		{"a NUL for a hash", chunk(":MISSING_CHECK: START\r\n" + hashOf("/a/c/o")[:31] + "%00 " + at0 + "\r\n"), "", ":ERROR: 0 "},
	} {
		answer := x.raw(c.body)
		if !strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\n") || strings.HasSuffix(answer, "0\r\n\r\n") || !strings.Contains(answer, c.said) {
			t.Errorf("%s: answered %q", c.what, answer)
		}
		if c.said == "" && strings.Contains(answer, ":ERROR:") {
			t.Errorf("%s: answered %q", c.what, answer)
		}
		if log := x.log.String(); !strings.Contains(log, c.logged) || !strings.Contains(log, "sda1/7") {
			t.Errorf("%s: logged %.2000s", c.what, log)
		}
	}
	x.serves("sda1")
	if found, _ := filepath.Glob(filepath.Join(x.root, "sda1/objects/7/???")); len(found) > 0 {
		t.Errorf("left %v", found)
	}
}

// A sender that sends a byte now and then does not hold a session for longer than one
// that sends none; and one that does not read what is wanted is left.
func TestSlowSenders(t *testing.T) {
	x := newTarget(t, func(c *server.Config) { c.Ssync.ClientTimeout = 500 * time.Millisecond })
	for what, first := range map[string]string{
		"a line": "1000\r\n:MISSING", "a header": chunk(begin) + "1000\r\nPUT /a/c/o\r\nX: ",
		"a body": chunk(begin+subreq("PUT", "/a/c/o", "Content-Length: 1000", "Content-Type: t/x", "X-Timestamp: "+at0)) + "1000\r\n",
	} {
		c, err := net.Dial("tcp", x.address)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(60 * time.Second))
		if _, err := io.WriteString(c, "SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+first); err != nil {
			t.Fatal(err)
		}
		go func() { // until the connection is closed
			for range 1000 {
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		answer, _ := io.ReadAll(c)
		if !strings.Contains(string(answer), ":ERROR: 408 '0.5 seconds: ") {
			t.Errorf("%s: answered %q", what, answer)
		}
		_ = c.Close()
	}
	// Some megabytes of wants that nobody reads.
	c, err := net.Dial("tcp", x.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	w := bufio.NewWriter(c)
	_, _ = io.WriteString(w, "SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(":MISSING_CHECK: START\r\n"))
	for i := range 400_000 {
		_, _ = io.WriteString(w, chunk(fmt.Sprintf("%032x %s\r\n", i, at0)))
	}
	_, _ = io.WriteString(w, chunk(":MISSING_CHECK: END\r\n"))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	x.eventually("missing_check wants")
	x.serves("sda1")
}

// eventually waits for a line in the log.
func (x *target) eventually(line string) {
	x.t.Helper()
	for end := time.Now().Add(60 * time.Second); !strings.Contains(x.log.String(), line); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("not logged: %s\n%s", line, x.log)
		}
	}
}

// All that is wanted has one limit in memory. It is given back.
func TestWantLimit(t *testing.T) {
	x := newTarget(t, func(c *server.Config) { c.Ssync.WantLimit = 2048 })
	offers := ":MISSING_CHECK: START\r\n"
	for i := range 3000 {
		offers += fmt.Sprintf("%032x %s\r\n", i, at0)
	}
	for range 3 {
		if s := tell(t, x.address, "/sda1/7", false, nil, offers, end); s.whole || !strings.HasSuffix(s.body, ":ERROR: 0 'too many objects are wanted at the same time'\n") {
			t.Errorf("%+v", s)
		}
		few := offers[:strings.Index(offers, fmt.Sprintf("%032x", 2000))] + ":MISSING_CHECK: END\r\n"
		if s := tell(t, x.address, "/sda1/7", false, nil, few, ":UPDATES: START\r\n", end); !s.whole || strings.Count(s.body, " dm\r\n") != 2000 {
			t.Errorf("%d wanted, %v", strings.Count(s.body, " dm\r\n"), s.whole)
		}
	}
}

// Ten thousand connections that say half a head cost little memory, and service goes
// on when their time is over.
func TestManyConnections(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const connections = 10_000
	if limit.Cur < connections+4000 {
		raised := unix.Rlimit{Cur: connections + 4000, Max: max(limit.Max, connections+4000)}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
			t.Fatalf("a test with %d connections needs as many descriptors: %v", connections, err)
		}
		defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }()
	}
	x := newTarget(t, func(c *server.Config) {
		c.Limits.Connections, c.Limits.Header = 512, 2*time.Second
	})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before, most := heap(), uint64(0)
	var mu sync.Mutex
	var open []net.Conn
	var dialers sync.WaitGroup
	for range 50 {
		dialers.Go(func() {
			for range connections / 50 {
				c, err := net.DialTimeout("tcp", x.address, 200*time.Millisecond)
				if err != nil {
					continue // the kernel's queue is full
				}
				_, _ = io.WriteString(c, "SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nX-Half-")
				mu.Lock()
				open = append(open, c)
				mu.Unlock()
			}
		})
	}
	dialers.Wait()
	most = heap()
	t.Logf("%d of %d connections, %d bytes more", len(open), connections, int64(most)-int64(before))
	if most > before && most-before > 64<<20 {
		t.Errorf("%d bytes more", most-before)
	}
	for _, c := range open {
		_ = c.Close()
	}
	x.serves("sda1")
}

// hangFS is a file system of which one device answers to nothing, until let go.
type hangFS struct {
	store.FS
	path string
	let  chan struct{}
}

func (h hangFS) OpenDir(at store.Dir, name string, follow bool) (store.Dir, error) {
	if strings.HasPrefix(at.Child(name), h.path) {
		<-h.let
	}
	return h.FS.OpenDir(at, name, follow)
}

// A disk that hangs keeps its sessions, but not the places of others: they are given
// back, and the senders are let go.
func TestHungDisk(t *testing.T) {
	let := make(chan struct{})
	x := newTarget(t, nil)
	disks := store.New(store.Options{Root: x.root, ReclaimAge: time.Hour, Log: zerolog.New(x.log), FS: hangFS{store.OS(), filepath.Join(x.root, "sda1"), let}})
	x.address = ssyncServer(t, x.root, x.log, func(c *server.Config) {
		c.Ssync.Store, c.Ssync.Concurrency, c.Ssync.DiskTimeout, c.Ssync.SessionsPerDevice = disks, 2, 200*time.Millisecond, 3
	})
	for i := range 3 {
		if s := tell(t, x.address, "/sda1/7", false, nil, begin, end); s.whole || s.body != "\r\n" {
			t.Errorf("session %d: %+v", i, s)
		}
	}
	if n := strings.Count(x.log.String(), "ssync session written off"); n != 3 {
		t.Errorf("%d sessions written off:\n%s", n, x.log)
	}
	// No more than three threads for this disk.
	if s := tell(t, x.address, "/sda1/7", false, nil, begin, end); !strings.Contains(s.body, ":ERROR: 503 b'<html><h1>Service Unavailable") {
		t.Errorf("a fourth session: %+v", s)
	}
	x.serves("sdb1")
	close(let)
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s := tell(t, x.address, "/sda1/7", false, nil, begin, putReq("/a/c/o", "x"), ":UPDATES: END\r\n")
		if s.whole {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the disk does not come back: %+v", s)
		}
	}
}

// The places for sessions are as Swift's, and so is the refusal.
func TestConcurrencyAsSwift(t *testing.T) {
	p := newPair(t, []string{"replication_concurrency = 1"}, func(c *server.Config) { c.Ssync.Concurrency = 1 })
	for _, address := range []string{p.theirs, p.ours} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(60 * time.Second))
		if _, err := io.WriteString(c, "SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(missing)); err != nil {
			t.Fatal(err)
		}
		// It holds its place as soon as it answers the first half.
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == ":MISSING_CHECK: END\r\n" {
				break
			}
		}
	}
	if s := p.same("second", "/sda1/8", false, nil, begin, end); !strings.Contains(s.body, ":ERROR: 503 ") {
		t.Errorf("%+v", s)
	}
}

// A session that is cut off at any byte has stored what had come whole, and nothing
// else; and nobody is told that all is well.
func TestCutAnywhere(t *testing.T) {
	x := newTarget(t, nil)
	bodies := map[string]string{"one": strings.Repeat("1", 100), "two": strings.Repeat("2", 50)}
	for cut := 0; ; cut += 3 {
		text := begin + putReq(fmt.Sprintf("/a/c/one%d", cut), bodies["one"]) + subreq("DELETE", fmt.Sprintf("/a/c/gone%d", cut), "X-Timestamp: "+at1) + putReq(fmt.Sprintf("/a/c/two%d", cut), bodies["two"])
		if cut > len(text) {
			break
		}
		s := tell(t, x.address, "/sda1/7", true, nil, text[:cut]+"")
		if s.whole || strings.Contains(s.body, ":UPDATES:") {
			t.Errorf("cut at %d: %+v", cut, s)
		}
	}
	x.onlyWhole(func(name, body string) bool {
		return body == bodies[strings.TrimRight(filepath.Base(name), "0123456789")]
	})
}

// onlyWhole checks every data file: its body is what its metadata says.
func (x *target) onlyWhole(right func(name, body string) bool) {
	x.t.Helper()
	onlyWhole(x.t, x.root, right)
}

func onlyWhole(t testing.TB, root string, right func(name, body string) bool) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "*/objects*/*/???/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		m, err := metadata.ReadPath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		name, _ := m.Get("name")
		if hash := filepath.Base(filepath.Dir(path)); hashOf(name) != hash {
			t.Errorf("%s is %q", path, name)
		}
		if !strings.HasSuffix(path, ".data") {
			continue
		}
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.Sum(body)
		if etag, _ := m.Get("ETag"); etag != hex.EncodeToString(sum[:]) || !right(name, string(body)) {
			t.Errorf("%s is torn: %q", path, body)
		}
	}
}
