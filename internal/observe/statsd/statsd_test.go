package statsd

import (
	"encoding/json"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T, address string) (*net.UDPConn, int) {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UDPConn), conn.LocalAddr().(*net.UDPAddr).Port
}

func receive(t *testing.T, conn *net.UDPConn, n int) (got []string) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 1500)
	for range n {
		k, err := conn.Read(b)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, string(b[:k]))
	}
	return got
}

// The same metrics sent by Swift's own client and by ours are the same bytes.
func TestSameDatagramsAsSwift(t *testing.T) {
	type call struct {
		Base, Tail   string
		Rate, Factor float64
		Kind, Name   string
		N            int
		Ms           float64
	}
	calls := []call{
		{"", "object-replicator", 1, 1, "count", "partition.update.count.d1", 1, 0},
		{"swift.node1", "object-replicator", 1, 1, "count", "suffix.hashes", 0, 0},
		{"swift", "", 1, 1, "count", "suffix.syncs", 4096, 0},
		{"", "", 0.5, 1, "count", "x", 2, 0},
		{"", "r", 0.5, 0.1, "timing", "partition.delete.timing", 0, 12.5},
		{"", "r", 1, 1, "timing", "partition.update.timing", 0, 3},
		{"", "r", 1, 1, "timing", "partition.update.timing", 0, 0.0001},
		{"", "r", 2, 0.5, "timing", "partition.update.timing", 0, 123456.7891},
	}
	const script = `
import json, sys
from swift.common.utils import StatsdClient
port, calls = json.load(sys.stdin)
for c in calls:
    s = StatsdClient('127.0.0.1', port, c['Base'], c['Tail'], c['Rate'], c['Factor'])
    s.random = lambda: 0.0
    if c['Kind'] == 'count': s.update_stats(c['Name'], c['N'])
    else: s.timing(c['Name'], c['Ms'])
`
	conn, port := listen(t, "127.0.0.1:0")
	input, err := json.Marshal([]any{port, calls})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", script)
	cmd.Stdin = strings.NewReader(string(input))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("Swift's own client (install python3-swift): %v\n%s", err, out)
	}
	want := receive(t, conn, len(calls))
	for i, c := range calls {
		s := New(Config{
			Host: "127.0.0.1", Port: port, BasePrefix: c.Base, TailPrefix: c.Tail, DefaultRate: c.Rate, RateFactor: c.Factor,
			Log: zerolog.Nop(), Random: func() float64 { return 0 },
		})
		if c.Kind == "count" {
			s.Count(c.Name, c.N)
		} else {
			s.Timing(c.Name, time.Duration(c.Ms*float64(time.Millisecond)))
		}
		s.Close()
		got := receive(t, conn, 1)[0]
		// Python prints a whole number of milliseconds given as an int without ".0".
		if got != want[i] && strings.Replace(got, ".0|ms", "|ms", 1) != want[i] {
			t.Errorf("%+v: got %q, want %q", c, got, want[i])
		}
	}
}

func TestTimingIsRounded(t *testing.T) {
	conn, port := listen(t, "127.0.0.1:0")
	s := New(Config{Host: "127.0.0.1", Port: port, DefaultRate: 1, RateFactor: 1, Log: zerolog.Nop()})
	s.Timing("t", 1234567*time.Nanosecond)
	s.Close()
	if got := receive(t, conn, 1)[0]; got != "t:1.2346|ms" {
		t.Errorf("got %q", got)
	}
}

func TestSampling(t *testing.T) {
	conn, port := listen(t, "[::1]:0")
	next := []float64{0.2, 0.3}
	s := New(Config{
		Host: "::1", Port: port, DefaultRate: 0.5, RateFactor: 0.5, Log: zerolog.Nop(),
		Random: func() float64 { f := next[0]; next = next[1:]; return f },
	})
	s.Count("sent", 1)
	s.Count("left out", 1)
	s.Close()
	if got := receive(t, conn, 1)[0]; got != "sent:1|c|@0.25" {
		t.Errorf("got %q", got)
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, _ := conn.Read(make([]byte, 100)); n > 0 {
		t.Error("a sample was sent that was to be left out")
	}
}

// A server that is not there, or cannot be found, costs nothing but metrics.
func TestNobodyThere(t *testing.T) {
	_, port := listen(t, "127.0.0.1:0")
	for _, host := range []string{"127.0.0.1", "no-such-host.invalid"} {
		var log strings.Builder
		s := New(Config{Host: host, Port: port + 1, DefaultRate: 1, RateFactor: 1, Log: zerolog.New(&log)})
		for range 3 * queueLength {
			s.Count("x", 1)
		}
		s.Close()
		if host != "127.0.0.1" && strings.Count(log.String(), "cannot be reached") != 1 {
			t.Errorf("logged %q", log.String())
		}
	}
}
