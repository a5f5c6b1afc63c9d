package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"understudy/internal/server"
	"understudy/internal/store"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a Store of functions. Every call is written down.
type fake struct {
	mu     sync.Mutex
	calls  []string
	check  func(device string) error
	hashes func(ctx context.Context) (messages.HashReport, error)
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fake) Check(_ context.Context, device string) error {
	f.note("check %s", device)
	if f.check != nil {
		return f.check(device)
	}
	return nil
}

func (f *fake) Hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
	f.note("hashes %s %v", p, o)
	if f.hashes != nil {
		return f.hashes(ctx)
	}
	return messages.HashReport{Hashes: messages.Hashes{"abc": ""}}, nil
}

func (f *fake) Invalidate(_ context.Context, p messages.Partition, suffixes []string) error {
	f.note("invalidate %s %v", p, suffixes)
	return nil
}

func newServer(f *fake, change func(*server.Config)) *server.Server {
	cfg := server.Config{Store: f, Policies: policies, Log: zerolog.Nop(), Version: "1.2"}
	if change != nil {
		change(&cfg)
	}
	return server.New(cfg)
}

func TestCalls(t *testing.T) {
	tests := []struct {
		request string
		status  int
		body    string
		calls   string
	}{
		{request("REPLICATE /sda1/7"), 200, string(hashes.EncodeWire(map[string]string{"abc": ""})), "check sda1; hashes sda1/objects/7 {false []}"},
		{request("REPLICATE /sda1/4294967295", "X-Backend-Storage-Policy-Index: 1"), 200, string(hashes.EncodeWire(map[string]string{"abc": ""})), "check sda1; hashes sda1/objects-1/4294967295 {false []}"},
		{request("REPLICATE /sda1/7/abc-xyz-abc-def-abcd"), 200, hashes.WireNone, "check sda1; invalidate sda1/objects/7 [abc def]"},
		{request("REPLICATE /sda1/7/xyz"), 200, hashes.WireNone, "check sda1"},
		// What Swift would look for on the disk.
		{request("REPLICATE /sda1/x8"), 400, "Invalid partition: x8", ""},
		{request("REPLICATE /sda1/007"), 400, "Invalid partition: 007", ""},
		{request("REPLICATE /sda1/+7"), 400, "Invalid partition: %2B7", ""},
		{request("REPLICATE /sda1/-7"), 400, "Invalid partition: -7", ""},
		{request("REPLICATE /sda1/4294967296"), 400, "Invalid partition: 4294967296", ""},
		{request("REPLICATE /sda1/7%00"), 400, "Invalid partition: 7%00", ""},
		{request("REPLICATE /sda1/..%2f7"), 400, "Invalid partition: ..", ""},
		{request("REPLICATE /sd%00/7"), 507, "", ""},
		{request("REPLICATE /sd%3Cb%3E/7"), 507, "<html><h1>Insufficient Storage</h1><p>There was not enough space to save the resource. Drive: sd&lt;b&gt;</p></html>", ""},
		{request("REPLICATE /%2e%2e/7"), 400, "Invalid device: ..", ""},
		{request("GET /sda1/7/a/c/o"), 405, "<html><h1>Method Not Allowed</h1><p>The method is not allowed for this resource.</p></html>", ""},
		{request("REPLICATE /sda1/7", "X-Backend-Storage-Policy-Index: 2"), 503, "No policy with index 2", ""},
	}
	for _, tt := range tests {
		f := &fake{}
		address := start(t, newServer(f, nil))
		got := ask(t, address, tt.request)
		if got.status != tt.status || (tt.body != "" && got.body != tt.body) {
			t.Errorf("%.60q: got %+v, want %d %q", tt.request, got, tt.status, tt.body)
		}
		if calls := strings.Join(f.calls, "; "); calls != tt.calls {
			t.Errorf("%.60q: calls %q, want %q", tt.request, calls, tt.calls)
		}
	}
}

// A head that is too long is refused. The connection may be reset before the
// peer, still writing, has read the refusal.
func TestHugeHeads(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for _, req := range []string{request("REPLICATE /" + long + "/7"), request("REPLICATE /sda1/7", "X: "+long), long + "\r\n"} {
		f := &fake{}
		c, err := net.Dial("tcp", start(t, newServer(f, nil)))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = io.WriteString(c, req)
		answer, err := io.ReadAll(c)
		if status := string(answer[:min(12, len(answer))]); status != "HTTP/1.1 431" && status != "HTTP/1.1 400" && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%.30q: answered %q, %v", req, status, err)
		}
		_ = c.Close()
		if len(f.calls) != 0 {
			t.Errorf("%.30q: calls %q", req, f.calls)
		}
	}
}

func TestErrors(t *testing.T) {
	var log bytes.Buffer
	f := &fake{}
	address := start(t, newServer(f, func(cfg *server.Config) { cfg.Log = zerolog.New(&log).Level(zerolog.InfoLevel) }))
	gone := &messages.DeviceError{Device: "sda1", Message: "sda1 is not mounted"}
	f.check = func(string) error { return fmt.Errorf("check: %w", gone) }
	if got := ask(t, address, request("REPLICATE /sda1/7")); got.status != 507 || !strings.HasSuffix(got.body, "Drive: sda1</p></html>") {
		t.Errorf("unmounted: %+v", got)
	}
	f.check = nil
	f.hashes = func(context.Context) (messages.HashReport, error) { return messages.HashReport{}, gone }
	if got := ask(t, address, request("REPLICATE /sda1/7")); got.status != 507 {
		t.Errorf("unmounted meanwhile: %+v", got)
	}
	if log.Len() != 0 {
		t.Errorf("logged %s", log.Bytes())
	}
	f.hashes = func(context.Context) (messages.HashReport, error) {
		return messages.HashReport{}, errors.New("read <dir>")
	}
	if got := ask(t, address, request("REPLICATE /sda1/7")); got.status != 500 || got.body != "read &lt;dir&gt;" {
		t.Errorf("other error: %+v", got)
	}
	if !strings.Contains(log.String(), `"ERROR __call__ error"`) || !strings.Contains(log.String(), `"/sda1/7"`) {
		t.Errorf("logged %s", log.Bytes())
	}
}

func TestOptions(t *testing.T) {
	disks := store.New(store.Options{Root: t.TempDir(), Log: zerolog.Nop()})
	with := func(cfg *server.Config) { cfg.Ssync.Store = disks }
	address := start(t, newServer(&fake{}, with))
	for _, path := range []string{"/", "*"} {
		req, err := http.NewRequest(http.MethodOptions, "http://"+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Path, req.URL.Opaque = "", path
		if path == "*" {
			req.URL.Opaque, req.URL.Path = "", "*"
		}
		tr := &http.Transport{DisableKeepAlives: true}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || resp.Header.Get("Allow") != "OPTIONS, REPLICATE, SSYNC" || resp.Header.Get("Server") != "object-server/1.2" {
			t.Errorf("OPTIONS %s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

// A peer that gives up does not end the work: its next request should find the
// hashes cached.
func TestWorkOutlivesThePeer(t *testing.T) {
	began, left, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	f := &fake{hashes: func(ctx context.Context) (messages.HashReport, error) {
		close(began)
		<-left
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond): // long enough to be told, had it been so
		}
		result <- ctx.Err()
		return messages.HashReport{}, nil
	}}
	address := start(t, newServer(f, nil))
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request("REPLICATE /sda1/7")); err != nil {
		t.Fatal(err)
	}
	<-began
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	close(left)
	if err := <-result; err != nil {
		t.Errorf("the work was told %v", err)
	}
}

// A device that hangs takes its own places only, and is never said to be
// unmounted.
func TestHungDevice(t *testing.T) {
	hung := make(chan struct{})
	f := &fake{check: func(device string) error {
		if device == "bad" {
			<-hung
		}
		return nil
	}}
	s := newServer(f, func(cfg *server.Config) { cfg.Limits.PerDevice, cfg.Limits.DeviceWait = 2, 50*time.Millisecond })
	var waiting sync.WaitGroup
	statuses := make(chan int, 10)
	for range 5 {
		waiting.Go(func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("REPLICATE", "/bad/7", nil))
			statuses <- w.Code
		})
	}
	for range 3 {
		if got := <-statuses; got != http.StatusServiceUnavailable {
			t.Errorf("got %d, want 503", got)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("REPLICATE", "/good/7", nil))
	if w.Code != 200 {
		t.Errorf("the other device: %d", w.Code)
	}
	close(hung)
	waiting.Wait()
	for range 2 {
		if got := <-statuses; got != 200 {
			t.Errorf("after the hang: %d", got)
		}
	}
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("REPLICATE", "/bad/7", nil))
	if w.Code != 200 {
		t.Errorf("later: %d", w.Code)
	}
}

func TestSlowAndManyConnections(t *testing.T) {
	address := start(t, newServer(&fake{}, func(cfg *server.Config) {
		cfg.Limits.Connections, cfg.Limits.Header, cfg.Limits.Idle = 2, 100*time.Millisecond, 100*time.Millisecond
	}))
	// Two that say nothing hold all places, but not for long.
	for range 2 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, "REPLICATE /sda1"); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(t, address, request("REPLICATE /sda1/7")); got.status != 200 {
		t.Errorf("after two slow ones: %+v", got)
	}
	// An idle connection is closed by the server.
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, request("REPLICATE /sda1/7")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("an idle connection stays: %v", err)
	}
}

// The end waits for requests at work, but not for those that are stuck.
func TestServeEnds(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		began, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		f := &fake{hashes: func(context.Context) (messages.HashReport, error) {
			close(began)
			<-release
			close(ended)
			return messages.HashReport{Hashes: messages.Hashes{}}, nil
		}}
		s := newServer(f, func(cfg *server.Config) {
			cfg.Limits.Drain = 20 * time.Second
			if stuck {
				cfg.Limits.Drain = 50 * time.Millisecond
			}
		})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		answered := make(chan int, 1)
		go func() {
			tr := &http.Transport{DisableKeepAlives: true}
			req, _ := http.NewRequest("REPLICATE", "http://"+l.Addr().String()+"/sda1/7", nil)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				answered <- 0
				return
			}
			_ = resp.Body.Close()
			answered <- resp.StatusCode
		}()
		<-began
		cancel()
		want := 200
		if stuck {
			want = 0
			if err := <-served; err != nil {
				t.Errorf("stuck: %v", err)
			}
			close(release)
		} else {
			close(release)
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
		if got := <-answered; got != want {
			t.Errorf("stuck %v: answered %d, want %d", stuck, got, want)
		}
		<-ended
		if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Error("the listener is still open")
		}
	}
}

func TestServeTellsOfABadListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := newServer(&fake{}, nil).Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), "serve 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

// FuzzPath sends any path: nothing reaches the store but a device's name, a
// number and suffixes.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/sda1/7", "/sda1/7/abc-def", "/../7", "/%2e%2e/7", "//7", "/a%2fb/7", "/sda1/7%00", "*", "http://x/a/7"} {
		f.Add(s, "")
	}
	f.Add("/sda1/7", "1")
	f.Fuzz(func(t *testing.T, path, policy string) {
		store := &fake{}
		s := newServer(store, nil)
		r := &http.Request{Method: "REPLICATE", RequestURI: path, Header: http.Header{"X-Backend-Storage-Policy-Index": {policy}}}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		for _, call := range store.calls {
			for _, word := range strings.Fields(call) {
				if strings.ContainsAny(word, "\x00%<>\\") || strings.Contains(word, "..") && strings.Contains(word, "/..") {
					t.Errorf("%q: %q", path, call)
				}
			}
			if device := strings.Split(strings.Fields(call)[1], "/")[0]; device == "" || device == "." || device == ".." {
				t.Errorf("%q: %q", path, call)
			}
		}
		switch w.Code {
		case 200, 400, 412, 503, 507:
		default:
			t.Errorf("%q: %d", path, w.Code)
		}
	})
}
