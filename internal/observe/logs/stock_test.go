package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// The same lines go through Swift's own get_logger and through ours, each to a
// real socket: every datagram, and every line on stderr, is the same to the byte.

type stockCase struct {
	Conf    map[string]string `json:"conf"`
	Level   string            `json:"level"` // a method of Swift's logger
	Message string            `json:"message"`
	Verbose bool              `json:"verbose"`
}

var stockLevels = []string{"debug", "info", "notice", "warning", "error", "critical"}

func stockCases() []stockCase {
	var cases []stockCase
	add := func(level, message string, conf ...string) {
		m := map[string]string{}
		for i := 0; i < len(conf); i += 2 {
			m[conf[i]] = conf[i+1]
		}
		cases = append(cases, stockCase{m, level, message, false})
	}
	names := []string{"local0", "LOG_local0", "LOG_NONE", "", "LOG_PRIMASK"}
	for n := range facilities {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, f := range names {
		for _, l := range stockLevels {
			add(l, "Starting 4711", "log_facility", f, "log_level", "DEBUG")
		}
	}
	for _, threshold := range []string{"DEBUG", "info", "Notice", "WARNING", "warn", "ERROR", "CRITICAL", "fatal", "NOTSET", "", "verbose", "10"} {
		for _, l := range stockLevels {
			add(l, "threshold "+threshold, "log_level", threshold)
		}
	}
	for _, l := range stockLevels {
		add(l, "default level")
	}
	for _, m := range []string{
		"", " ", "a\nb", "\n", "a\n\nb\n", "tab\tcr\rbell\a", "nul\x00inside", "#012", "100% %s %(message)s", `"quoted" = \back`,
		"Grüße 東京 🚚", "\u2028\u0085", strings.Repeat("x", 20000), strings.Repeat("é", 20000), "{\"json\": true}", "<134>fake",
	} {
		add("info", m)
		cases[len(cases)-1].Verbose = true
		add("error", m, "log_name", "my name", "log_max_line_length", "40")
		cases[len(cases)-1].Verbose = true
	}
	for limit := -1; limit <= 60; limit++ {
		add("info", "0123456789abcdefghij\n東京🚚é", "log_max_line_length", strconv.Itoa(limit))
		add("info", "short", "log_max_line_length", strconv.Itoa(limit))
	}
	return cases
}

// listen opens a unix datagram socket for log lines.
func listen(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const patience = 20 * time.Second

// receive reads one datagram.
func receive(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<18)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatalf("receive a log line: %v", err)
	}
	return string(b[:n])
}

// untilEnd reads datagrams up to one that says END.
func untilEnd(t *testing.T, conn net.Conn) []string {
	t.Helper()
	var lines []string
	for {
		line := receive(t, conn)
		if line == "END" {
			return lines
		}
		lines = append(lines, line)
	}
}

// runStock returns the datagrams and the stderr text of each case.
func runStock(t *testing.T, cases []stockCase) (datagrams [][]string, stderr []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	conn := listen(t, path)
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-W", "ignore", "testdata/stock.py", path)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin = bytes.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for range cases {
		datagrams = append(datagrams, untilEnd(t, conn))
	}
	if err := <-ended; err != nil {
		t.Fatalf("run Swift's logger (is Swift installed?): %v\n%s%s", err, out.String(), errs.String())
	}
	stderr = strings.Split(strings.TrimSuffix(errs.String(), "END\n"), "END\n")
	if len(stderr) != len(cases) {
		t.Fatalf("%d pieces of stderr for %d cases", len(stderr), len(cases))
	}
	return datagrams, stderr
}

func stockConfig(conf map[string]string) Config {
	c := Config{Name: "object-replicator", Facility: conf["log_facility"], Level: conf["log_level"], UDPHost: conf["log_udp_host"]}
	if n, ok := conf["log_name"]; ok {
		c.Name = n
	}
	c.MaxLineLength, _ = strconv.Atoi(conf["log_max_line_length"])
	c.UDPPort, _ = strconv.Atoi(conf["log_udp_port"])
	return c
}

// stockEvent starts the event that stands for a method of Swift's logger.
func stockEvent(l zerolog.Logger, level string) *zerolog.Event {
	switch level {
	case "debug":
		return l.Debug()
	case "info":
		return l.Info()
	case "notice":
		return Notice(l)
	case "warning":
		return l.Warn()
	case "error":
		return l.Error()
	case "critical":
		return Critical(l)
	}
	panic("no such level: " + level)
}

func TestSameDatagramsAsSwift(t *testing.T) {
	cases := stockCases()
	datagrams, stderr := runStock(t, cases)
	path := filepath.Join(t.TempDir(), "log")
	conn := listen(t, path)
	sent := 0
	for i, c := range cases {
		t.Run(fmt.Sprintf("%d %s %v", i, c.Level, c.Conf), func(t *testing.T) {
			var console bytes.Buffer
			config := stockConfig(c.Conf)
			config.Address, config.Verbose, config.Stderr = path, c.Verbose, &console
			l, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			Swift(stockEvent(l.Logger, c.Level)).Str("device", "sda").Msg(c.Message)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			end, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path})
			if err != nil {
				t.Fatal(err)
			}
			defer end.Close()
			if _, err := end.Write([]byte("END")); err != nil {
				t.Fatal(err)
			}
			got := untilEnd(t, conn)
			sent += len(got)
			want := slices.Clone(datagrams[i])
			for n, line := range want { // control characters are for the daemon to escape, there
				want[n] = visible(strings.TrimSuffix(line, "\x00"), "") + "\x00"
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q:\ngot  %q\nwant %q", c.Message, got, want)
			}
			if console.String() != visible(stderr[i], "\n") {
				t.Errorf("%q on stderr:\ngot  %q\nwant %q", c.Message, console.String(), stderr[i])
			}
		})
	}
	if sent < len(cases)/2 {
		t.Errorf("only %d lines of %d cases: the comparison proves little", sent, len(cases))
	}
}

func TestSameOverUDP(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
	var cases []stockCase
	for _, host := range []string{"127.0.0.1", "localhost"} {
		cases = append(cases, stockCase{map[string]string{"log_udp_host": host, "log_udp_port": port}, "notice", "User quit\nand more", false})
	}
	runStock(t, cases)
	for _, c := range cases {
		want := receive(t, conn)
		l, err := New(stockConfig(c.Conf))
		if err != nil {
			t.Fatal(err)
		}
		Swift(Notice(l.Logger)).Msg(c.Message)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, conn); got != want || got == "" {
			t.Errorf("%v: got %q, want %q", c.Conf, got, want)
		}
	}
}
