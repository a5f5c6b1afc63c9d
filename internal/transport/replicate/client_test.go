package replicate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{ConnTimeout: 5 * time.Second, HTTPTimeout: 20 * time.Second, UserAgent: "object-replicator 123"}
	if change != nil {
		change(&cfg)
	}
	c := New(cfg)
	t.Cleanup(c.Close)
	return c
}

// once answers the first request on each connection and then closes it.
func once(t *testing.T, response string) messages.Node {
	return serving(t, "127.0.0.1:0", func(c net.Conn) {
		if _, err := readRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, response)
		}
	})
}

func TestHashes(t *testing.T) {
	want := someHashes(20)
	want["abc"] = ""
	body := hashes.EncodeWire(want)
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for i := 0; i < len(body); i += 100 {
		part := body[i:min(i+100, len(body))]
		chunked += fmt.Sprintf("%x;ext=1\r\n%s\r\n", len(part), part)
	}
	chunked += "0\r\nTrailer: x\r\n\r\n"
	tests := map[string]string{
		"with a length":      ok(body),
		"chunked":            chunked,
		"HTTP/1.0":           "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + string(body),
		"no length":          "HTTP/1.1 200 OK\r\n\r\n" + string(body),
		"no reason":          strings.Replace(ok(body), "200 OK", "200", 1),
		"bare newlines":      strings.Replace(ok(body), "\r\n", "\n", 4),
		"after 100":          "HTTP/1.1 100 Continue\r\n\r\n" + ok(body),
		"length given twice": strings.Replace(ok(body), "Date:", fmt.Sprintf("content-length: %d\r\nDate:", len(body)), 1),
	}
	for name, response := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := client(t, nil).Hashes(t.Context(), once(t, response), 0, 7)
			if err != nil || !maps.Equal(got, want) {
				t.Errorf("got %d, %v", len(got), err)
			}
		})
	}
}

func TestHashesOverIPv6(t *testing.T) {
	var request atomic.Value
	node := serving(t, "[::1]:0", func(c net.Conn) {
		r, _ := readRequest(bufio.NewReader(c))
		request.Store(r)
		_, _ = io.WriteString(c, ok(hashes.EncodeWire(nil)))
	})
	if _, err := client(t, nil).Hashes(t.Context(), node, 0, 7); err != nil {
		t.Fatal(err)
	}
	if host := fmt.Sprintf("\r\nHost: [::1]:%d\r\n", node.ReplicationPort); !strings.Contains(request.Load().(string), host) {
		t.Errorf("sent %q, want %q in it", request.Load(), host)
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		response string
		status   int
	}{
		{"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 5\r\n\r\nDrive", 507},
		{"HTTP/1.1 500 Internal Error\r\nContent-Length: 50\r\n\r\ncut", 500},
		{"HTTP/1.1 204 No Content\r\n\r\n", 204},
		{"HTTP/1.0 503 Service Unavailable\r\n\r\n", 503},
		{"HTTP/1.1 529 \r\nContent-Length: 99999999999\r\n\r\n", 529},
	} {
		node := once(t, tt.response)
		_, err := client(t, nil).Hashes(t.Context(), node, 0, 7)
		var status *messages.StatusError
		if !errors.As(err, &status) || status.Status != tt.status || status.Node != node {
			t.Errorf("%q: %v", tt.response, err)
		}
	}
}

func TestNoUsableAnswer(t *testing.T) {
	body := string(hashes.EncodeWire(someHashes(20)))
	lot := strings.Repeat("x", 1<<20)
	tests := []struct{ name, response, why, want string }{
		{"junk for a pickle", ok([]byte("junk")), "", "decode suffix hashes"},
		{"None", ok([]byte(hashes.WireNone)), "", "instead of a dict"},
		{"a call", ok([]byte("cos\nsystem\n.")), "", "global os.system not allowed"},
		{"cut in the body", ok([]byte(body))[:600], "", "unexpected EOF"},
		{"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", "", "unexpected EOF"},
		{"cut in the head", "HTTP/1.1 200 OK\r\nContent-Le", "", "unexpected EOF"},
		{"nothing", "", "", "connection closed without an answer"},
		{"long body announced", ok([]byte(lot)), "", "longer than 524288 bytes"},
		{"long body without length", "HTTP/1.1 200 OK\r\n\r\n" + lot, "", "longer than 524288 bytes"},
		{"long body in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n" + lot, "", "longer than 524288 bytes"},
		{"long header", "HTTP/1.1 200 OK\r\nX: " + lot + "\r\n\r\n", "", "response line longer than 8192"},
		{"many headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n", "", "more than 128 response headers"},
		{"endless 100", strings.Repeat("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", 200), "", "more than 128 response headers"},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "BadStatusLine: SSH-2.0-OpenSSH_9.2", "bad status line"},
		{"noise", "\x00\x1b[2J\xff" + strings.Repeat("x", 7000) + "\n", "BadStatusLine: \x00\x1b[2J\uFFFD" + strings.Repeat("x", 394) + "...", "bad status line"},
		{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "BadStatusLine: HTTP/2.0 200 OK", "bad status line"},
		{"bad length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "", "bad content length"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "", "bad content length"},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "", "bad chunk size"},
		{"chunk too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "", "chunk is longer"},
		{"compressed", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "", "unknown transfer encoding"},
		{"bad header", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "", "bad response header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			node := once(t, tt.response)
			got, err := client(t, nil).Hashes(t.Context(), node, 0, 7)
			var pe *messages.PeerError
			if !errors.As(err, &pe) || pe.Why != tt.why || pe.Node != node || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %d, %v, want an error with %q (why %q)", len(got), err, tt.want, tt.why)
			}
			broken := tt.response == "" || strings.HasPrefix(tt.name, "cut")
			if (pe.Silence == messages.Unanswered) != broken || pe.Silence == messages.Unreachable {
				t.Errorf("%v is called %v", err, pe.Silence)
			}
		})
	}
}

// A peer that does not answer, or trickles, costs the time limit and no more.
func TestSlowPeers(t *testing.T) {
	quick := func(cfg *Config) { cfg.HTTPTimeout = 300 * time.Millisecond }
	wait := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	whole := ok(hashes.EncodeWire(someHashes(200)))
	peers := map[string]func(net.Conn){
		"says nothing":         wait,
		"stops in the head":    func(c net.Conn) { _, _ = io.WriteString(c, whole[:30]); wait(c) },
		"stops in the body":    func(c net.Conn) { _, _ = io.WriteString(c, whole[:300]); wait(c) },
		"stops before its 507": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 507 Ins"); wait(c) },
		"a byte at a time": func(c net.Conn) {
			for i := range len(whole) {
				if _, err := io.WriteString(c, whole[i:i+1]); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		},
	}
	for name, serve := range peers {
		t.Run(name, func(t *testing.T) {
			node := serving(t, "127.0.0.1:0", serve)
			_, err := client(t, quick).Hashes(t.Context(), node, 0, 7)
			var pe *messages.PeerError
			if !errors.As(err, &pe) || pe.Why != "Timeout (0.3s)" || pe.Silence != messages.Unanswered {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("its whole status is enough", func(t *testing.T) {
		node := serving(t, "127.0.0.1:0", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 507 No\r\nContent-Length: 10\r\n\r\n")
			wait(c)
		})
		_, err := client(t, quick).Hashes(t.Context(), node, 0, 7)
		var status *messages.StatusError
		if !errors.As(err, &status) || status.Status != 507 {
			t.Errorf("%v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		node := serving(t, "127.0.0.1:0", func(c net.Conn) {
			_, _ = readRequest(bufio.NewReader(c))
			cancel()
			wait(c)
		})
		_, err := client(t, func(cfg *Config) { cfg.HTTPTimeout = time.Hour }).Hashes(ctx, node, 0, 7)
		var pe *messages.PeerError
		if !errors.As(err, &pe) || !errors.Is(err, context.Canceled) || pe.Silence != messages.Answered {
			t.Errorf("%v", err)
		}
	})
}

// A listener whose queue is full swallows connects: only conn_timeout ends them.
func TestConnectTimeout(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
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
	node := messages.Node{ReplicationIP: "127.0.0.1", ReplicationPort: sa.(*syscall.SockaddrInet4).Port, Device: "d"}
	for range 4 { // fill the queue
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(node.ReplicationIP, strconv.Itoa(node.ReplicationPort)), 100*time.Millisecond); err == nil {
			defer func() { _ = c.Close() }()
		}
	}
	for timeout, want := range map[time.Duration]string{500 * time.Millisecond: "ConnectionTimeout (0.5s)", time.Second: "ConnectionTimeout (1.0s)"} {
		err = client(t, func(cfg *Config) { cfg.ConnTimeout = timeout }).Invalidate(t.Context(), node, 0, 7, []string{"abc"})
		var pe *messages.PeerError
		if !errors.As(err, &pe) || pe.Why != want || pe.Silence != messages.Unreachable {
			t.Errorf("%v", err)
		}
	}
}

func TestRefusedAndReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	node := messages.Node{ReplicationIP: "127.0.0.1", ReplicationPort: l.Addr().(*net.TCPAddr).Port, Device: "d"}
	_ = l.Close()
	_, err = client(t, nil).Hashes(t.Context(), node, 0, 7)
	var pe *messages.PeerError
	if !errors.As(err, &pe) || pe.Why != "Connection refused" || pe.Silence != messages.Unreachable {
		t.Errorf("%v", err)
	}
	node = serving(t, "127.0.0.1:0", func(c net.Conn) {
		_, _ = readRequest(bufio.NewReader(c))
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	_, err = client(t, nil).Hashes(t.Context(), node, 0, 7)
	if !errors.As(err, &pe) || pe.Why != "Connection reset" || pe.Silence != messages.Unanswered {
		t.Errorf("%v", err)
	}
}

// A name that cannot be looked up says nothing about the peer.
func TestUnknownName(t *testing.T) {
	node := messages.Node{ReplicationIP: "no such name", ReplicationPort: 6200, Device: "d"}
	_, err := client(t, nil).Hashes(t.Context(), node, 0, 7)
	var pe *messages.PeerError
	if !errors.As(err, &pe) || pe.Silence != messages.Answered {
		t.Errorf("%v", err)
	}
}

func TestWhy(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.EHOSTUNREACH: "Host unreachable", syscall.ENETUNREACH: "Network unreachable",
		syscall.ETIMEDOUT: "Connection timeout", syscall.EPIPE: "Broken pipe", syscall.EBADF: "",
	} {
		c := New(Config{})
		err := c.connTimeout(&net.OpError{Op: "dial", Err: errno})
		if got := Why(err); got != want {
			t.Errorf("%v: %q, want %q", errno, got, want)
		}
	}
}

func TestInvalidate(t *testing.T) {
	requests := make(chan string, 10)
	node := serving(t, "127.0.0.1:0", func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			head, err := readRequest(r)
			if err != nil {
				return
			}
			requests <- strings.SplitN(head, "\r\n", 2)[0]
			_, _ = io.WriteString(c, "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno")
		}
	})
	node.Device = "sd a/é%"
	c := client(t, nil)
	if err := c.Invalidate(t.Context(), node, 1, 4294967295, []string{"abc", "def"}); err != nil {
		t.Error(err)
	}
	if got := <-requests; got != "REPLICATE /sd%20a/%C3%A9%25/4294967295/abc-def HTTP/1.1" {
		t.Error(got)
	}
	var all []string
	for i := range 4096 {
		all = append(all, fmt.Sprintf("%03x", i))
	}
	if err := c.Invalidate(t.Context(), node, 1, 1, all); err != nil {
		t.Error(err)
	}
	var told []string
	for range 4 {
		line := <-requests
		if len(line) > 8000 {
			t.Errorf("request line of %d bytes", len(line))
		}
		told = append(told, strings.Split(strings.TrimSuffix(line[strings.LastIndex(line, "/1/")+3:], " HTTP/1.1"), "-")...)
	}
	if strings.Join(told, "-") != strings.Join(all, "-") {
		t.Errorf("told %d suffixes of %d", len(told), len(all))
	}
	if err := c.Invalidate(t.Context(), node, 1, 1, []string{"abc", "../"}); err == nil || !strings.Contains(err.Error(), `"../" is not a suffix`) {
		t.Error(err)
	}
	if len(requests) != 0 {
		t.Error("asked although a suffix was none")
	}
}

// The request is the one that Swift's own client sends.
func TestRequestIsSwifts(t *testing.T) {
	requests := make(chan string, 1)
	node := serving(t, "127.0.0.1:0", func(c net.Conn) {
		head, _ := readRequest(bufio.NewReader(c))
		requests <- head
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"+hashes.WireNone)
	})
	node.Device = "sd b_1.~é+"
	c := client(t, nil)
	for _, suffixes := range [][]string{nil, {"abc", "def"}} {
		arg := ""
		if suffixes != nil {
			arg = "/" + messages.JoinSuffixes(suffixes)
		}
		out, err := exec.Command("/usr/bin/python3", "-c", `
import sys
from swift.common.bufferedhttp import http_connect
ip, port, device, path = sys.argv[1:]
http_connect(ip, int(port), device, '17', 'REPLICATE', path, headers={
    'Content-Length': '0', 'user-agent': 'object-replicator 123', 'X-Backend-Storage-Policy-Index': 3}).getresponse().read()
`, node.ReplicationIP, strconv.Itoa(node.ReplicationPort), node.Device, arg).CombinedOutput()
		if err != nil {
			t.Fatalf("run Swift: %v\n%s", err, out)
		}
		want := <-requests
		if suffixes == nil {
			_, _ = c.Hashes(t.Context(), node, 3, 17)
		} else {
			_ = c.Invalidate(t.Context(), node, 3, 17, suffixes)
		}
		if got := <-requests; got != want {
			t.Errorf("sent %q, Swift sends %q", got, want)
		}
	}
}
