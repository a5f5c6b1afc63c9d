package replicate

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// answering accepts connections and answers each request on them with the same
// bytes, until the test ends.
func answering(tb testing.TB, response string) messages.Node {
	return serving(tb, "127.0.0.1:0", func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			if _, err := readRequest(r); err != nil {
				return
			}
			if _, err := io.WriteString(c, response); err != nil || strings.Contains(response, "close") {
				return
			}
		}
	})
}

// serving runs serve for each connection and closes the connection afterwards.
func serving(tb testing.TB, address string, serve func(net.Conn)) messages.Node {
	tb.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	var open sync.Map
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				open.Range(func(c, _ any) bool { return c.(net.Conn).Close() != nil || true })
				return
			}
			open.Store(c, nil)
			running.Go(func() {
				serve(c)
				_ = c.Close()
				open.Delete(c)
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	a := l.Addr().(*net.TCPAddr)
	return messages.Node{ReplicationIP: a.IP.String(), ReplicationPort: a.Port, Device: "sda1"}
}

// readRequest reads the head of a request, which is all of it.
func readRequest(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String(), nil
		}
	}
}

// ok is an answer as a stock object server gives it.
func ok(body []byte) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: %d\r\nDate: Mon, 23 Nov 2026 08:00:00 GMT\r\n\r\n%s", len(body), body)
}

func someHashes(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("%03x", i)] = fmt.Sprintf("%032x", i)
	}
	return m
}

func benchmarkConfig() Config {
	return Config{ConnTimeout: time.Second, HTTPTimeout: time.Minute, UserAgent: "object-replicator 1"}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHashes is the exchange of an in-sync pass. The CPU time is that of
// both ends.
func BenchmarkHashes(b *testing.B) {
	body := hashes.EncodeWire(someHashes(8))
	for name, response := range map[string]string{
		"kept":   ok(body),
		"closed": strings.Replace(ok(body), "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1),
	} {
		b.Run(name, func(b *testing.B) {
			node := answering(b, response)
			c := New(benchmarkConfig())
			defer c.Close()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				if _, err := c.Hashes(ctx, node, 0, 7); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}
