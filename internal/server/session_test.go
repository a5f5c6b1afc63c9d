package server_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"understudy/internal/server"
)

// A sender that ends its body only when it has heard the end of the answer leaves a
// connection that is good for another request, and a server that has not panicked.
func TestSessionEndsItsBody(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sda1"), 0o755); err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	disks := newStore(root)
	address := start(t, server.New(server.Config{
		Store: disks, Policies: policies, Log: zerolog.New(&log), LogRequests: true, Ssync: server.Ssync{Store: disks},
	}))
	c := dial(t, address)
	r := bufio.NewReader(c)
	send := func(text string) {
		t.Helper()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		send("SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"4c\r\n:MISSING_CHECK: START\r\n:MISSING_CHECK: END\r\n:UPDATES: START\r\n:UPDATES: END\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(resp.Body)
		for line := ""; line != ":UPDATES: END\r\n"; {
			if line, err = lines.ReadString('\n'); err != nil {
				t.Fatalf("%q, %v", line, err)
			}
		}
		send("0\r\n\r\n")
		if _, err := io.Copy(io.Discard, lines); err != nil {
			t.Fatal(err)
		}
		send(request("REPLICATE /sda1/7"))
		if resp, err = http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
			t.Fatalf("the next request: %v, %v\n%s", resp, err, log.String())
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	if text := log.String(); strings.Contains(text, "goroutine") || strings.Count(text, `\"SSYNC /sda1/7\" 200 -`) != 3 {
		t.Errorf("logged\n%s", text)
	}
}

// A sender that has heard the end of its session finds the place free for the next one,
// whatever the server still has to do for the first.
func TestPlaceIsFreeAtTheEnd(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sda1"), 0o755); err != nil {
		t.Fatal(err)
	}
	disks := newStore(root)
	address := start(t, server.New(server.Config{
		Store: disks, Policies: policies, Log: zerolog.Nop(),
		Ssync: server.Ssync{Store: disks, Concurrency: 1, PerDevice: 1, SessionsPerDevice: 1},
	}))
	for i := range 500 {
		c := dial(t, address)
		_, err := io.WriteString(c, "SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"4c\r\n:MISSING_CHECK: START\r\n:MISSING_CHECK: END\r\n:UPDATES: START\r\n:UPDATES: END\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(resp.Body)
		for line := ""; line != ":UPDATES: END\r\n"; {
			if line, err = lines.ReadString('\n'); err != nil || strings.HasPrefix(line, ":ERROR:") {
				t.Fatalf("session %d: %q, %v", i, line, err)
			}
		}
	}
}
