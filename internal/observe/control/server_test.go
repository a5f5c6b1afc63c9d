package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/observe/status"
)

// ask sends a request as it is and returns the answer's code and body.
func ask(t *testing.T, network, address, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// Every path, verb and kind of error has its code, and each error says why as JSON.
func TestAnswers(t *testing.T) {
	e := newFake()
	e.answer = func(c status.Command) (*status.Done, error) {
		switch c := c.(type) {
		case status.RunPass:
			if c.Device == "sdz" {
				return nil, &status.Refusal{Unknown: true, Why: "there is no device sdz"}
			}
		case status.SetProfile:
			return nil, status.Refuse("not now")
		case status.Retry:
			return nil, errBroken
		}
		return &status.Done{Message: "so be it"}, nil
	}
	s := start(t, e, func(c *Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") })
	})
	big := `{"policy":0,"partitions":[` + strings.Repeat("1,", 1000) + `1]}`
	for _, c := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"GET", "/v1/status", "", 200, `"state":"healthy"`},
		{"HEAD", "/v1/status", "", 200, ""},
		{"GET", "/v1/status?device=sdb", "", 200, `"name":"sdb"`},
		{"GET", "/v1/status?device=sdz", "", 404, `there is no device \"sdz\"`},
		{"GET", "/v1/status?format=text", "", 200, " state: HEALTHY"},
		{"GET", "/v1/status?format=xml", "", 400, "format is json or text"},
		{"POST", "/v1/status", "{}", 405, "only GET, HEAD"},
		{"GET", "/v1/limits", "", 200, `"differ"`},
		{"GET", "/healthz", "", 200, "healthy\n"},
		{"GET", "/metrics", "", 200, "metrics"},
		{"GET", "/", "", 404, "nothing is at"},
		{"GET", "/v1/nothing", "", 404, "nothing is at"},
		{"GET", "/v1/pass", "", 405, "only POST"},
		{"PUT", "/v1/pass", "{}", 405, "only POST"},
		{"DELETE", "/v1/status", "", 405, "only GET"},
		{"POST", "/v1/pass", "", 200, "so be it"},
		{"POST", "/v1/pass", `{"device":"sdz"}`, 404, "there is no device sdz"},
		{"POST", "/v1/pass", `{"disk":"sdz"}`, 400, `unknown field \"disk\"`},
		{"POST", "/v1/pass", `{"device":7}`, 400, "no such command"},
		{"POST", "/v1/pass", `{"device":"sda"} {}`, 400, "something follows"},
		{"POST", "/v1/pass", `[]`, 400, "no such command"},
		{"POST", "/v1/pass", `{`, 400, "no such command"},
		{"POST", "/v1/pass", "{\"device\":\"" + strings.Repeat("x", bodyBytes) + "\"}", 400, "longer than 65536 bytes"},
		{"POST", "/v1/pause", "", 400, "scope is node, device, policy or peer"},
		{"POST", "/v1/pause", `{"scope":"device"}`, 400, "needs a name"},
		{"POST", "/v1/pause", `{"scope":"node","name":"x"}`, 400, "has no name"},
		{"POST", "/v1/pause", `{"scope":"node","for_seconds":-1}`, 400, "for_seconds must be"},
		{"POST", "/v1/pause", `{"scope":"node","for_seconds":1e300}`, 400, "for_seconds must be"},
		{"POST", "/v1/pause", `{"scope":"node","for_seconds":1e999}`, 400, "no such command"},
		{"POST", "/v1/pause", `{"scope":"node","For":1}`, 400, "unknown field"},
		{"POST", "/v1/front", `{"policy":0,"partitions":[]}`, 400, "1 to 1000"},
		{"POST", "/v1/front", big, 400, "1 to 1000, not 1001"},
		{"POST", "/v1/front", `{"policy":-1,"partitions":[1]}`, 400, "policy"},
		{"POST", "/v1/front", `{"policy":0,"partitions":[4294967296]}`, 400, "no such command"},
		{"POST", "/v1/limits", `{}`, 400, "no limit is named"},
		{"POST", "/v1/limits", `{"jobs":0}`, 400, "at least 1"},
		{"POST", "/v1/limits", `{"bytes_per_second":-1}`, 400, "negative"},
		{"POST", "/v1/limits", `{"tranquility":-0.1}`, 400, "negative"},
		{"POST", "/v1/limits", `{"jobs":3}`, 200, "so be it"},
		{"POST", "/v1/profile", `{}`, 400, "no profile is named"},
		{"POST", "/v1/profile", `{"profile":"drain"}`, 400, "not now"},
		{"POST", "/v1/retry", `{}`, 503, "broken"},
		{"GET", "/v1/events?interval=x", "", 400, "interval is a number"},
		{"GET", "/v1/events?interval=NaN", "", 400, "interval is a number"},
		{"GET", "/v1/events?interval=-3", "", 400, "interval is a number"},
		{"GET", "/v1/events?interval=1e300", "", 400, "interval is a number"},
	} {
		code, body := ask(t, "unix", s.socket, c.method, c.path, c.body)
		if code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s %.60s: %d %s; want %d %s", c.method, c.path, c.body, code, body, c.code, c.says)
		}
		var p problem
		if err := json.Unmarshal([]byte(body), &p); c.method != "HEAD" && code != 200 && (err != nil || p.Error == "") {
			t.Errorf("%s %s: %q is no error as JSON", c.method, c.path, body)
		}
	}
	// What a browser sends for a page of somebody else's.
	for _, header := range [][]string{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		if code, body := ask(t, "unix", s.socket, "POST", "/v1/pass", "{}", header...); code != 403 || !strings.Contains(body, "origins") {
			t.Errorf("%q: %d %s", header, code, body)
		}
	}
	if code, body := ask(t, "unix", s.socket, "GET", "/v1/status", "", "Accept", "text/plain"); code != 200 || !strings.HasPrefix(body, "  node: ") {
		t.Errorf("%d %s", code, body)
	}
}

// The client's commands reach the engine as they are.
func TestCommands(t *testing.T) {
	e := newFake()
	s := start(t, e, nil)
	n, rate, bytes := 3, 1.5, int64(50<<20)
	for _, c := range []status.Command{
		status.PauseCommand{Scope: status.ScopePeer, Name: "10.0.0.3:6200/sdc", For: 90 * time.Second},
		status.PauseCommand{Scope: status.ScopeNode},
		status.ResumeCommand{Scope: status.ScopePolicy, Name: "gold"},
		status.RunPass{Device: "sda"},
		status.Front{Device: "sda", Policy: 1, Partitions: []uint32{0, 1<<32 - 1}},
		status.Retry{},
		status.SetLimits{Jobs: &n, DeviceJobs: &n, Bytes: &bytes, DeviceBytes: &bytes, Hashes: &rate, Tranquility: &rate, Reset: true, Persist: true},
		status.SetProfile{Profile: "drain", For: time.Hour, Persist: true},
	} {
		done, err := s.client.Do(t.Context(), c)
		if err != nil || done.Message != "done" {
			t.Errorf("%#v: %v, %v", c, done, err)
		}
		if got := e.last(); !reflect.DeepEqual(got, c) {
			t.Errorf("%#v, want %#v", got, c)
		}
	}
	e.set(func(e *fakeEngine) {
		e.answer = func(status.Command) (*status.Done, error) {
			return nil, &status.Refusal{Unknown: true, Why: "no such thing"}
		}
	})
	var refusal *status.Refusal
	if _, err := s.client.Do(t.Context(), status.Retry{Device: "x"}); !errors.As(err, &refusal) || !refusal.Unknown || refusal.Why != "no such thing" {
		t.Error(err)
	}
}

// Who has been answered may send the next command at once, even to the last place.
func TestCommandAfterCommand(t *testing.T) {
	s := start(t, newFake(), func(c *Config) { c.limits.commands = 1 })
	for i := range 500 {
		if _, err := s.client.Do(t.Context(), status.Retry{}); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
	}
}

// A TCP port shows everything and takes nothing.
func TestListenIsForLooking(t *testing.T) {
	e := newFake()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	s := start(t, e, func(c *Config) {
		c.Listen = address // which is in use: it is tried again
		c.Page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "page "+r.URL.Path) })
	})
	if _, err := s.client.Report(t.Context()); err != nil {
		t.Errorf("the socket waits for the port: %v", err)
	}
	_ = l.Close()
	eventually(t, "the port", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	for _, c := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "/v1/status", 200, "healthy"},
		{"GET", "/healthz", 200, "healthy"},
		{"GET", "/", 200, "page /"},
		{"GET", "/style.css", 200, "page /style.css"},
		{"GET", "/v1/pass", 405, "POST"},
		{"POST", "/v1/pass", 403, "control socket only"},
		{"POST", "/v1/nothing", 403, "control socket only"},
		{"PUT", "/", 403, "control socket only"},
		{"OPTIONS", "/v1/status", 403, "control socket only"},
	} {
		if code, body := ask(t, "tcp", address, c.method, c.path, "{}"); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
		}
	}
	if e.last() != nil {
		t.Errorf("the engine got %v", e.last())
	}
}

// An engine that does not answer costs each request its limit, and the server a
// bounded number of goroutines; commands beyond their places are refused at once.
func TestEngineThatHangs(t *testing.T) {
	e := newFake()
	hang := make(chan struct{})
	e.hangs = hang
	s := start(t, e, func(c *Config) {
		c.limits.ask, c.limits.do, c.limits.commands = 50*time.Millisecond, 50*time.Millisecond, 2
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if code, body := ask(t, "unix", s.socket, "GET", "/v1/status", ""); code != 503 || !strings.Contains(body, "in time") {
				t.Errorf("%d %s", code, body)
			}
		})
	}
	all.Wait()
	e.set(func(e *fakeEngine) {
		if e.asked != 1 {
			t.Errorf("it was asked %d times at once", e.asked)
		}
	})
	for i, says := range []string{"in time", "in time", "too many commands"} {
		if code, body := ask(t, "unix", s.socket, "POST", "/v1/pass", ""); code != 503 || !strings.Contains(body, says) {
			t.Errorf("%d: %d %s", i, code, body)
		}
	}
	e.set(func(e *fakeEngine) { e.hangs = nil })
	close(hang)
	eventually(t, "an answer", func() bool { _, err := s.client.Report(t.Context()); return err == nil })
	eventually(t, "a command", func() bool { _, err := s.client.Do(t.Context(), status.Retry{}); return err == nil })
}

// A bug in the engine ends a request, not the process.
func TestEngineThatPanics(t *testing.T) {
	s := start(t, panics{}, nil)
	for _, c := range [][2]string{{"GET", "/v1/status"}, {"POST", "/v1/pass"}} {
		if code, body := ask(t, "unix", s.socket, c[0], c[1], ""); code != 503 || !strings.Contains(body, "panic: oh") {
			t.Errorf("%q: %d %s", c, code, body)
		}
	}
}

type panics struct{}

func (panics) Report(context.Context) (*status.Report, error)           { panic("oh") }
func (panics) Do(context.Context, status.Command) (*status.Done, error) { panic("oh") }

// Connections beyond the limit are refused, not kept waiting, and places come back.
func TestTooManyConnections(t *testing.T) {
	s := start(t, newFake(), func(c *Config) { c.limits.connections = 3 })
	var silent []net.Conn
	for range 3 {
		c, err := net.Dial("unix", s.socket)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	c, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if data, err := io.ReadAll(c); err != nil || !bytes.Contains(data, []byte("503")) || !bytes.Contains(data, []byte("too many connections")) {
		t.Errorf("%q, %v", data, err)
	}
	for _, c := range silent {
		_ = c.Close()
	}
	eventually(t, "a place", func() bool { _, err := s.client.Report(t.Context()); return err == nil })
}

// The end takes a moment, whoever is connected, and removes the socket.
func TestEnd(t *testing.T) {
	s := start(t, newFake(), nil)
	idle, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	watched := make(chan error, 1)
	began := make(chan struct{}, 100)
	go func() {
		watched <- s.client.Events(context.Background(), time.Second, func(*status.Report, error) error {
			began <- struct{}{}
			return nil
		})
	}()
	<-began
	s.stop()
	if err := <-watched; err == nil || !strings.Contains(err.Error(), "have ended") {
		t.Errorf("the watcher: %v", err)
	}
	if _, err := os.Lstat(s.socket); !os.IsNotExist(err) {
		t.Errorf("the socket: %v", err)
	}
	if _, err := s.client.Report(t.Context()); err == nil || !strings.Contains(err.Error(), "no engine runs") {
		t.Errorf("the client: %v", err)
	}
}

// Who has asked for what is in the log.
func TestCommandsAreLogged(t *testing.T) {
	var log syncBuffer
	s := start(t, newFake(), func(c *Config) { c.Log = zerolog.New(&log) })
	if _, err := s.client.Do(t.Context(), status.PauseCommand{Scope: status.ScopeDevice, Name: "sda", For: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"command":"pause"`, `"arguments":{"scope":"device","name":"sda","for_seconds":60}`, `"uid":`, `"done":"done"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
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
