package sick

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A proxy cuts as many connections as it was told, each exactly there; those that
// stay below it and all later ones pass whole.
func TestProxyCuts(t *testing.T) {
	got := make(chan int, 10)
	target, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer target.Close()
	go accept(target, func(conn *net.TCPConn) {
		n, _ := io.Copy(io.Discard, conn)
		_, _ = io.WriteString(conn, "done")
		got <- int(n)
	})
	p, err := NewProxy("127.0.0.1:0", target.Addr().String())
	must(t, err)
	defer p.Close()
	p.Cut(1, 5000)
	for _, test := range []struct {
		send, arrive int
		answer       string
	}{{5000, 5000, "done"}, {100_000, 5000, ""}, {100_000, 100_000, "done"}} {
		conn, err := net.Dial("tcp", p.listener.Addr().String())
		must(t, err)
		_, _ = conn.Write(bytes.Repeat([]byte("x"), test.send)) // it may be cut meanwhile
		_ = conn.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if n := <-got; n != test.arrive || string(answer) != test.answer {
			t.Errorf("of %d bytes %d arrived, answer %q", test.send, n, answer)
		}
		_ = conn.Close()
	}
	if p.WasCut() != 1 {
		t.Errorf("%d connections were cut", p.WasCut())
	}
}

// A mute peer takes connections and counts them; nothing comes back.
func TestMute(t *testing.T) {
	m, err := NewMute("127.0.0.1:0")
	must(t, err)
	defer m.Close()
	conn, err := net.Dial("tcp", m.listener.Addr().String())
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "REPLICATE /d1/0 HTTP/1.1\r\n\r\n")
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if _, err := conn.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Errorf("a mute peer answered: %v", err)
	}
	await(t, "the connection is counted", func() bool { return m.Taken() == 1 })
}

// A stopped rsync daemon takes connections, for the kernel does, and says nothing. The
// kernel knows how many came. When it goes on it serves again.
func TestStoppedDaemon(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	must(t, l.Close())
	conf := filepath.Join(dir, "rsyncd.conf")
	put(t, conf, "use chroot = no\n[object]\npath = "+dir+"\n")
	daemon := exec.Command("rsync", "--daemon", "--no-detach", "--config="+conf, "--address=127.0.0.1", "--port="+port)
	must(t, daemon.Start())
	defer func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	}()
	list := func() error {
		return exec.Command("rsync", "--timeout=1", "rsync://"+addr+"/object/").Run()
	}
	await(t, "the daemon serves", func() bool { return list() == nil })
	must(t, daemon.Process.Signal(unix.SIGSTOP))
	await(t, "the daemon is stopped", func() bool { return State(daemon.Process.Pid) == 'T' })
	if err := list(); err == nil {
		t.Error("a stopped daemon served")
	}
	if n, err := Waiting(addr); err != nil || n != 1 {
		t.Errorf("%d connections wait, %v", n, err)
	}
	must(t, daemon.Process.Signal(unix.SIGCONT))
	await(t, "the daemon serves again", func() bool { return list() == nil })
}
