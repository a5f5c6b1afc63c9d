package logs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T, c Config) *Logs {
	t.Helper()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var droppedLine = regexp.MustCompile(`^<131>swift: log lines dropped lines=(\d+)\x00$`)

// A receiver that never reads must not hold the caller up: this test would hang if
// it did, since nobody reads before all is logged. Later every line is accounted
// for, either received or counted as dropped.
func TestReceiverThatDoesNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	conn := listen(t, path)
	l := open(t, Config{Address: path, QueueLines: 100, FlushTimeout: patience})
	const total = 5000
	for i := range total {
		l.Logger.Info().Int("i", i).Msg("storm")
	}
	if l.Dropped() == 0 {
		t.Fatal("nothing was dropped: the receiver was not full")
	}
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	received, reported, last := 0, 0, -1
	for received+reported < total {
		line := receive(t, conn)
		if m := droppedLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			reported += n
			continue
		}
		var i int
		if _, err := fmt.Sscanf(line, "<134>swift: storm i=%d\x00", &i); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if i <= last {
			t.Fatalf("line %d after %d", i, last)
		}
		received, last = received+1, i
	}
	if received+reported != total || uint64(reported) != l.Dropped() || received < 100-100/4 {
		t.Errorf("received %d and reported %d of %d, dropped %d", received, reported, total, l.Dropped())
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// The syslog daemon is restarted: lines logged while it is away wait for it, and
// lines logged after it made a new socket go there.
func TestSocketReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	first := listen(t, path)
	l := open(t, Config{Address: path, Name: "object-replicator"})
	l.Logger.Info().Msg("one")
	if got := receive(t, first); got != "<134>object-replicator: one\x00" {
		t.Fatalf("got %q", got)
	}
	first.Close()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	l.Logger.Info().Msg("two")
	l.Logger.Info().Msg("three")
	second := listen(t, path)
	for _, want := range []string{"two", "three"} {
		if got := receive(t, second); got != "<134>object-replicator: "+want+"\x00" {
			t.Fatalf("got %q", got)
		}
	}
	if err := os.Remove(path); err != nil { // replaced under a daemon that still lives
		t.Fatal(err)
	}
	third := listen(t, path)
	second.Close()
	l.Logger.Info().Msg("four")
	if got := receive(t, third); got != "<134>object-replicator: four\x00" {
		t.Fatalf("got %q", got)
	}
	if err := l.Close(); err != nil || l.Dropped() != 0 {
		t.Errorf("%v, %d dropped", err, l.Dropped())
	}
}

func TestStreamSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l := open(t, Config{Address: path})
	l.Logger.Warn().Msg("over a stream")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "<132>swift: over a stream\x00" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Nobody is there and nobody comes: Close gives up in time and says so.
func TestCloseWithoutDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listen(t, path).Close() // its file stays and refuses
	l := open(t, Config{Address: path, FlushTimeout: 20 * time.Millisecond})
	for range 100 {
		l.Logger.Error().Msg(strings.Repeat("x", 60000))
	}
	err := l.Close()
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "lines left") {
		t.Errorf("got %v", err)
	}
}

func TestWhereSyslogGoes(t *testing.T) {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "socket"), filepath.Join(dir, "file")
	listen(t, socket)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config     Config
		want, fail string
	}{
		{Config{Address: socket}, socket, ""},
		{Config{Address: file}, "localhost:514", ""},
		{Config{Address: filepath.Join(dir, "absent")}, "localhost:514", ""},
		{Config{Address: file, UDPPort: 99}, "localhost:514", ""},
		{Config{Address: socket, UDPHost: "127.0.0.1"}, "127.0.0.1:514", ""},
		{Config{UDPHost: "::1", UDPPort: 99}, "[::1]:99", ""},
		{Config{Address: file + "/x"}, "", "open log address: stat " + file + "/x: not a directory"},
		{Config{UDPHost: "no.such.host.invalid"}, "", "resolve log host no.such.host.invalid"},
		{Config{UDPHost: "127.0.0.1", UDPPort: 65536}, "", "no such UDP port: 65536"},
	} {
		out, err := openSyslog(c.config)
		if err != nil {
			if c.fail == "" || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%+v: %v", c.config, err)
			}
			continue
		}
		if out.name() != c.want || c.fail != "" {
			t.Errorf("%+v: goes to %s", c.config, out.name())
		}
		out.close()
	}
	if _, err := New(Config{Format: "xml"}); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("format xml: %v", err)
	}
}

// A line too long for a datagram is cut, at a whole character, and not lost.
func TestHugeLine(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l := open(t, Config{UDPHost: "127.0.0.1", UDPPort: conn.LocalAddr().(*net.UDPAddr).Port})
	l.Logger.Info().Msg("a" + strings.Repeat("é", 100000))
	l.Logger.Info().Msg(strings.Repeat("x", 2*maxEventBytes)) // not even queued
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := receive(t, conn)
	if len(got) < maxLineBytes || len(got) > maxLineBytes+10 || !strings.HasSuffix(got, "é\x00") {
		t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-5:])
	}
	if got := receive(t, conn); !droppedLine.MatchString(got) {
		t.Errorf("got %q", got)
	}
}
