package rsync

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"understudy/messages"
)

// What the real rsync's ends say about the peer: how each is brought about is told
// by the code in the log.
func TestSilence(t *testing.T) {
	hold := func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }
	greeting := func(c net.Conn, r *bufio.Reader) {
		_, _ = fmt.Fprint(c, "@RSYNCD: 31.0 md5 md4\n")
		_, _ = r.ReadString('\n')
		_, _ = r.ReadString('\n')
		_, _ = fmt.Fprint(c, "@RSYNCD: OK\n")
	}
	quick := func(c *Config) { c.IOTimeout = "1" }
	for what, c := range map[string]struct {
		port   func(*testing.T, *rig) int
		change func(*Config)
		conf   string
		code   int
		want   messages.Silence
	}{
		"refused":        {func(t *testing.T, _ *rig) int { return freePort(t) }, nil, "", 10, messages.Unreachable},
		"no room":        {func(t *testing.T, _ *rig) int { return fullQueue(t) }, quick, "", 35, messages.Unreachable},
		"never speaks":   {func(t *testing.T, _ *rig) int { return speaking(t, hold) }, quick, "", 30, messages.Unanswered},
		"stops speaking": {func(t *testing.T, _ *rig) int { return speaking(t, then(greeting, hold)) }, quick, "", 30, messages.Unanswered},
		"hangs up":       {func(t *testing.T, _ *rig) int { return speaking(t, greeting) }, nil, "", 12, messages.Unanswered},
		"says no": {func(t *testing.T, _ *rig) int {
			return speaking(t, func(c net.Conn, r *bufio.Reader) { _, _ = fmt.Fprint(c, "@ERROR: max connections (1) reached\n") })
		}, nil, "", 5, messages.Answered},
		"other protocol": {func(t *testing.T, _ *rig) int {
			return speaking(t, then(func(c net.Conn, _ *bufio.Reader) { _, _ = fmt.Fprint(c, "SSH-2.0-x\r\n") }, hold))
		}, nil, "", 5, messages.Answered},
		"max connections": {func(t *testing.T, r *rig) int { occupy(t, r.daemon.port); return r.daemon.port }, nil, "max connections = 1", 5, messages.Answered},
		"unknown module": {
			func(_ *testing.T, r *rig) int { return r.daemon.port },
			func(c *Config) { c.Module = "rsync://{replication_ip}:{replication_port}/other" }, "", 5, messages.Answered,
		},
		"read only": {func(_ *testing.T, r *rig) int { return r.daemon.port }, nil, "read only = yes", 1, messages.Answered},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, c.conf, c.change)
			job := r.object(1)
			job.Node.ReplicationPort = c.port(t, r)
			if got := r.failing(t, job, c.code); got != c.want {
				t.Errorf("it is called %v, want %v", got, c.want)
			}
		})
	}
}

// An rsync that was killed for its time says that the peer did not answer; one that
// was killed for ours says nothing.
func TestSilenceOfTheKilled(t *testing.T) {
	clock := newStepClock()
	r := newFakeRig(t, `echo $$ >$NOTES/child; while :; do sleep 60; done`, func(c *Config) { c.Clock = clock })
	done := syncing(r.Transport, t.Context(), fakeJob(true))
	r.pid(t, "child")
	clock.fire(t, patience)
	if a := await(t, done); a.res.Silence != messages.Unanswered || a.err != nil {
		t.Errorf("sync returned %+v, %v", a.res, a.err)
	}
	for code, want := range map[int]messages.Silence{
		0: 0, 1: 0, 5: 0, 11: 0, 23: 0, 24: 0, -9: 0, 255: 0,
		10: messages.Unreachable, 35: messages.Unreachable, 12: messages.Unanswered, 30: messages.Unanswered,
	} {
		if got := (exit{code: code}).silence(); got != want {
			t.Errorf("code %d is called %v, want %v", code, got, want)
		}
	}
}

// An update that could not reach the daemon says so, also when nobody could be told
// of it.
func TestSilenceOfAnUpdate(t *testing.T) {
	r := newRig(t, "", nil)
	r.peers.err = &messages.PeerError{Why: "Connection refused", Err: syscall.ECONNREFUSED}
	job := r.object(1)
	job.Handoff, job.Node.ReplicationPort = false, freePort(t)
	if res, err := r.Sync(t.Context(), job); res.Silence != messages.Unreachable || err == nil {
		t.Errorf("sync returned %+v, %v", res, err)
	}
}

func then(a, b func(net.Conn, *bufio.Reader)) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) { a(c, r); b(c, r) }
}

// speaking listens and answers each connection with a script, then closes it.
func speaking(t *testing.T, script func(net.Conn, *bufio.Reader)) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			script(conn, bufio.NewReader(conn))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().(*net.TCPAddr).Port
}

// fullQueue is a listener that swallows connects.
func fullQueue(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := sa.(*syscall.SockaddrInet4).Port
	for range 4 {
		if c, err := net.DialTimeout("tcp4", fmt.Sprintf("127.0.0.1:%d", port), 100*time.Millisecond); err == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
	}
	return port
}

// occupy takes the one place of a daemon.
func occupy(t *testing.T, port int) {
	t.Helper()
	conn, in, err := greet(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprint(conn, "@RSYNCD: 31.0 md5 md4\nobject\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := in.ReadString('\n'); err != nil || line != "@RSYNCD: OK\n" {
		t.Fatalf("the daemon says %q, %v", line, err)
	}
}
