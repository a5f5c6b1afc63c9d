package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/server"
)

// backend is a server whose connections are scripts.
func backend(t *testing.T, script func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				script(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// passing is a server that passes on, with limits for tests.
func passing(t *testing.T, to string, change func(*server.Config)) string {
	t.Helper()
	return start(t, newServer(&fake{}, func(cfg *server.Config) {
		cfg.PassTo.Address = to
		cfg.Limits.Drain = 100 * time.Millisecond
		if change != nil {
			change(cfg)
		}
	}))
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// record answers everything that has come until the client's end with its own bytes.
func record(c net.Conn) {
	b, err := io.ReadAll(c)
	if err == nil {
		_, _ = c.Write(b)
	}
}

// What is foreign arrives to the byte, however odd, and in whatever pieces it came.
func TestPassedBytesAreTheClients(t *testing.T) {
	address := passing(t, backend(t, record), nil)
	for _, sent := range []string{
		"GET /sda1/7/a/c/o HTTP/1.1\r\nhost: x\r\nx-ODD:   a\x01b \r\n\r\n",
		"PUT /sda1/7/a/c/o%zz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
		"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"DELETE /a HTTP/1.0\n\n",
		"FOO /a HTTP/1.1\r\n\r\nGET /healthcheck HTTP/1.1\r\n\r\n", // the connection is the backend's from the first head on
		"REPLICATE /sda1/7 HTTP/1.1\r\nX-Backend-Storage-Policy-Index: 2\r\n\r\n",
		"SSYNC /sda1/7 HTTP/1.1\r\nx-backend-storage-policy-index:2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"SSYNC /sda1/7 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", // ours, had we a receiver
		"PUT /a HTTP/1.1\r\n\r\n" + strings.Repeat("x", 1<<20),
	} {
		for _, piece := range []int{len(sent), 1 + len(sent)/7} {
			c := dial(t, address)
			go func() {
				for rest := sent; rest != ""; {
					n := min(piece, len(rest))
					if _, err := io.WriteString(c, rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
				_ = c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || string(got) != sent {
				t.Errorf("%.60q: %d bytes back, %v: %.100q", sent, len(got), err, got)
			}
		}
	}
}

// What is ours is never passed on.
func TestOursIsNotPassed(t *testing.T) {
	address := passing(t, backend(t, func(c net.Conn) { t.Error("the backend was asked") }), nil)
	for req, status := range map[string]int{
		request("GET /healthcheck"): 200, request("GET /%68ealthcheck"): 200, request("GET /recon/time"): 200, request("GET /recon/x"): 404,
		request("OPTIONS /"): 200, request("REPLICATE /sda1/7"): 200, request("REPLICATE /sda1/7", policyHeader+": 1"): 200,
		request("REPLICATE /sda1/x"): 400, "nonsense\r\n\r\n": 400, "GET /" + strings.Repeat("x", 70<<10): 431,
	} {
		if got := ask(t, address, req); got.status != status {
			t.Errorf("%.60q: %+v", req, got)
		}
	}
	off := passing(t, backend(t, func(c net.Conn) { t.Error("the backend was asked") }), func(cfg *server.Config) { cfg.NoReplication = true })
	for _, req := range []string{request("REPLICATE /sda1/7"), request("SSYNC /sda1/7", policyHeader+": 2")} {
		if got := ask(t, off, req); got.status != 405 {
			t.Errorf("%.60q: %+v", req, got)
		}
	}
}

const policyHeader = "X-Backend-Storage-Policy-Index"

// One connection asks us, then for something foreign: each goes where it belongs,
// also when all of it was sent at once.
func TestDecidedForEachRequest(t *testing.T) {
	address := passing(t, backend(t, record), nil)
	ours, theirs := request("REPLICATE /sda1/7"), request("GET /sda1/7/a/c/o")
	for _, atOnce := range []bool{false, true} {
		c := dial(t, address)
		r := bufio.NewReader(c)
		if atOnce {
			if _, err := io.WriteString(c, ours+ours+theirs); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if !atOnce {
				if _, err := io.WriteString(c, ours); err != nil {
					t.Fatal(err)
				}
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || !bytes.HasPrefix(body, []byte("\x80\x02")) {
				t.Fatalf("%d %q %v", resp.StatusCode, body, err)
			}
		}
		if !atOnce {
			if _, err := io.WriteString(c, theirs); err != nil {
				t.Fatal(err)
			}
		}
		_ = c.CloseWrite()
		if got, err := io.ReadAll(r); err != nil || string(got) != theirs {
			t.Errorf("at once %v: %q, %v", atOnce, got, err)
		}
	}
	// After a body of ours nothing more is taken.
	c := dial(t, address)
	if _, err := io.WriteString(c, "REPLICATE /sda1/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"+theirs); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 200")) || !bytes.Contains(got, []byte("Connection: close")) || bytes.Contains(got, []byte("a/c/o")) {
		t.Errorf("%q %v", got, err)
	}
}

// Both sides talk at the same time: neither waits for the other's end.
func TestFullDuplex(t *testing.T) {
	address := passing(t, backend(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(c, "heard %s", line); err != nil {
				return
			}
		}
	}), nil)
	c := dial(t, address)
	r := bufio.NewReader(c)
	for _, line := range []string{"PUT / HTTP/1.1\n", "\n", "one\n", "two\n"} {
		if _, err := io.WriteString(c, line); err != nil {
			t.Fatal(err)
		}
		if line == "PUT / HTTP/1.1\n" {
			continue // nothing is passed on before the head has ended
		}
		for {
			got, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if got == "heard "+line {
				break
			}
		}
	}
}

// An answer that comes before the body has ended reaches the client, and what it
// still sends does no harm.
func TestEarlyAnswer(t *testing.T) {
	const early = "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\n\r\n"
	address := passing(t, backend(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 10))
		_, _ = io.WriteString(c, early)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, io.LimitReader(c, 1<<20))
	}), nil)
	c := dial(t, address)
	go func() {
		_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\n\r\n")
		for range 100 {
			if _, err := c.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()
	got := make([]byte, len(early))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != early {
		t.Errorf("%q, %v", got, err)
	}
}

// A break on one side is a break on the other, not an end: a body that is cut
// must not look complete.
func TestABreakStaysABreak(t *testing.T) {
	// The backend breaks off in the middle of an answer.
	arrived := make(chan struct{})
	address := passing(t, backend(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 10))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhalf of ")
		<-arrived
		_ = c.(*net.TCPConn).SetLinger(0)
	}), nil)
	c := dial(t, address)
	if _, err := io.WriteString(c, request("GET /sda1/7/a/c/o")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 27)); err != nil {
		t.Fatal(err)
	}
	close(arrived)
	if got, err := io.ReadAll(c); err == nil {
		t.Errorf("the client saw a good end after %q", got)
	}
	// The client breaks off in the middle of a body.
	const half = "PUT / HTTP/1.1\r\n\r\nhalf of "
	begun, read := make(chan error), make(chan error, 1)
	address = passing(t, backend(t, func(c net.Conn) {
		_, err := io.ReadFull(c, make([]byte, len(half)))
		begun <- err
		_, err = io.ReadAll(c)
		read <- err
	}), nil)
	c = dial(t, address)
	if _, err := io.WriteString(c, half); err != nil {
		t.Fatal(err)
	}
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	_ = c.SetLinger(0)
	_ = c.Close()
	if err := <-read; err == nil {
		t.Error("the backend saw a good end")
	}
}

// Who is silent on both sides is left; who is busy on one side is not.
func TestSilence(t *testing.T) {
	const silence = 300 * time.Millisecond
	quiet := func(cfg *server.Config) { cfg.PassTo.Silence = silence }
	address := passing(t, backend(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), quiet)
	c := dial(t, address)
	if _, err := io.WriteString(c, request("GET /sda1/7/a/c/o")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); err == nil {
		t.Error("silence ended well")
	}
	c = dial(t, address)
	// Longer than the limit, the backend saying nothing.
	last := time.Now()
	for begin := last; time.Since(begin) < 3*silence; time.Sleep(silence / 50) {
		if time.Since(last) > silence/2 {
			t.Log("this machine was too slow to be seen busy")
			return
		}
		if _, err := io.WriteString(c, "PUT / HTTP/1.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		last = time.Now()
	}
}

func TestBackendDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	_ = l.Close()
	var log syncBuffer
	address := passing(t, nobody, func(cfg *server.Config) { cfg.Log = zerolog.New(&log) })
	want := "<html><h1>Service Unavailable</h1><p>The server is currently unavailable. Please try again at a later time.</p></html>"
	for _, req := range []string{request("GET /sda1/7/a/c/o"), "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nnine byte", request("REPLICATE /sda1/7", policyHeader+": 2")} {
		if got := ask(t, address, req); got.status != 503 || got.body != want || got.length != int64(len(want)) {
			t.Errorf("%.30q: %+v", req, got)
		}
	}
	if got := ask(t, address, request("HEAD /sda1/7/a/c/o")); got.status != 503 || got.body != "" {
		t.Errorf("%+v", got)
	}
	if got := ask(t, address, request("REPLICATE /sda1/7")); got.status != 200 {
		t.Errorf("ours: %+v", got)
	}
	if n := strings.Count(log.String(), "does not take them"); n != 1 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Passed connections have places of their own, so that replication has some left.
func TestPassedPlaces(t *testing.T) {
	begun := make(chan struct{}, 1)
	address := passing(t, backend(t, func(c net.Conn) {
		begun <- struct{}{}
		record(c)
	}), func(cfg *server.Config) { cfg.Limits.Connections, cfg.PassTo.Places = 3, 1 })
	c := dial(t, address)
	if _, err := io.WriteString(c, "PUT / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	if got := ask(t, address, request("GET /a")); got.status != 503 {
		t.Errorf("a second one: %+v", got)
	}
	if got := ask(t, address, request("REPLICATE /sda1/7")); got.status != 200 {
		t.Errorf("ours: %+v", got)
	}
	_ = c.CloseWrite()
	if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "PUT") {
		t.Errorf("%q %v", got, err)
	}
}

// The end lets passed exchanges end for a while, and cuts those that do not.
func TestServeEndsWithPassed(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		begun := make(chan struct{}, 1)
		to := backend(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 10))
			begun <- struct{}{}
			record(c)
		})
		s := newServer(&fake{}, func(cfg *server.Config) { cfg.PassTo.Address, cfg.Limits.Drain = to, 50*time.Millisecond })
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		c := dial(t, l.Addr().String())
		if _, err := io.WriteString(c, "PUT / HTTP/1.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-begun
		if stuck {
			cancel(nil)
		} else {
			cancel(server.DrainFor(time.Minute)) // longer than this test may take
			_ = c.CloseWrite()
		}
		_, err = io.ReadAll(c)
		if cut := err != nil; cut != stuck {
			t.Errorf("stuck %v: %v", stuck, err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if _, err := net.Dial("tcp", l.Addr().String()); err == nil || errors.Is(err, context.Canceled) {
			t.Error("the listener is open")
		}
	}
}
