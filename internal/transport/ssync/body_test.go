package ssync

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// descriptorBody has a descriptor, and something else behind its reads.
type descriptorBody struct {
	io.ReaderAt
	file *os.File
}

func (b descriptorBody) Descriptor() (int, bool) { return int(b.file.Fd()), true }
func (b descriptorBody) Close() error            { return b.file.Close() }

// onlyTheEnd fails every read but the one that looks for bytes past the end.
type onlyTheEnd struct{ size int64 }

func (o onlyTheEnd) ReadAt(p []byte, at int64) (int, error) {
	if at == o.size {
		return 0, io.EOF
	}
	return 0, unix.EIO
}

// bodySent runs one object through a TCP connection and returns what was sent as
// the body of its PUT.
func bodySent(t *testing.T, o *wire.Object) (string, messages.SyncResult, *logLines) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := &receiver{t: t, conn: conn, in: bufio.NewReader(conn)}
		r.wants(o.Hash + " d")
		updates := r.takes()
		_, body, _ := strings.Cut(updates, "\r\n\r\n")
		got <- body
	}()
	res, log := play(t, &fakeObjects{all: []*wire.Object{o}}, func(*receiver) {}, func(c *Config, _ *messages.SyncJob) {
		pipe := c.Dial
		c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			_, _ = pipe(ctx, network, "") // for its script to end
			return net.Dial("tcp4", l.Addr().String())
		}
	})
	return <-got, res, log
}

// A large body goes from the disk to the socket by sendfile(2): no read of it comes
// by here.
func TestLargeBodyBySendfile(t *testing.T) {
	body := strings.Repeat("0123456789abcde\n", 200_000)
	o := fakeData(1, body)
	path := filepath.Join(t.TempDir(), "body")
	mustWrite(t, path, body)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	o.Body = descriptorBody{onlyTheEnd{o.Size}, f}
	got, res, log := bodySent(t, o)
	if !res.OK || got != body {
		t.Errorf("%+v, %d bytes\n%s", res, len(got), log)
	}
}

// Where the kernel cannot, the body is read and written.
func TestLargeBodyWithoutSendfile(t *testing.T) {
	body := strings.Repeat("0123456789abcde\n", 200_000)
	o := fakeData(1, body)
	dir, err := os.Open(t.TempDir()) // sendfile from a directory is EINVAL
	if err != nil {
		t.Fatal(err)
	}
	o.Body = descriptorBody{bytes.NewReader([]byte(body)), dir}
	got, res, log := bodySent(t, o)
	if !res.OK || got != body {
		t.Errorf("%+v, %d bytes\n%s", res, len(got), log)
	}
}

func TestSendfileErrors(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "body")
	mustWrite(t, path, "short")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := sendfile(raw, int(f.Fd()), 0, 10); n != 5 || !errors.Is(err, io.EOF) {
		t.Errorf("a short file: %d, %v", n, err)
	}
	var peer *peerError
	if _, err := sendfile(raw, -1, 0, 10); !errors.Is(err, unix.EBADF) || errors.As(err, &peer) {
		t.Errorf("no file: %v", err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := sendfile(raw, int(f.Fd()), 0, 5); !errors.As(err, &peer) || !errors.Is(err, unix.EPIPE) {
		t.Errorf("no peer: %v", err)
	}
}
