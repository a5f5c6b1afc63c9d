package network

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"understudy/internal/fault"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

// keeping is a server that keeps connections, and a way to connect that counts.
func keeping(t *testing.T) (messages.Node, Dial, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x80\x02}q\x00.") })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	made := &atomic.Int64{}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		made.Add(1)
		return real(ctx, network, address)
	}
	return messages.Node{ReplicationIP: "127.0.0.1", ReplicationPort: l.Addr().(*net.TCPAddr).Port, Device: "d1"}, dial, made
}

func load(t *testing.T, faults *fault.Injector, plan string) {
	t.Helper()
	p, err := fault.Parse(plan)
	if err != nil {
		t.Fatal(err)
	}
	faults.Load(p)
}

// A plan that is put in force meets the requests that go over connections which were kept
// from before it, those of the client's pool and those of net/http's.
func TestPlansMeetKeptConnections(t *testing.T) {
	node, under, made := keeping(t)
	faults := injector(t, "")
	dial := Answers(faults, Dialer(faults, under))
	questions := replicate.New(replicate.Config{ConnTimeout: 10 * time.Second, HTTPTimeout: 10 * time.Second, UserAgent: "test", Dial: dial})
	t.Cleanup(questions.Close)
	surveys := &http.Transport{DialContext: dial}
	t.Cleanup(surveys.CloseIdleConnections)
	for name, ask := range map[string]func() error{
		"question": func() error {
			_, err := questions.Hashes(t.Context(), node, 0, 7)
			return err
		},
		"survey": func() error { return survey(t.Context(), surveys, node) },
	} {
		for _, plan := range []string{"peer : answer 507", "peer : garbage", "net : reset", "net : reset after-bytes=10", "net : refuse"} {
			faults.Clear()
			before := made.Load()
			for range 3 {
				if err := ask(); err != nil {
					t.Fatalf("%s without a plan: %v", name, err)
				}
			}
			if now := made.Load(); now > before+1 {
				t.Fatalf("%s: %d connections for three requests: none was kept", name, now-before)
			}
			load(t, faults, plan)
			if err := ask(); err == nil || faults.Counts()[0].Fired == 0 {
				t.Errorf("%s and %q: %v, %+v", name, plan, err, faults.Counts())
			}
		}
	}
}

func survey(ctx context.Context, over *http.Transport, node messages.Node) error {
	url := "http://" + net.JoinHostPort(node.ReplicationIP, strconv.Itoa(node.ReplicationPort)) + "/d1/0"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "SURVEY", url, strings.NewReader("body"))
	if err != nil {
		return err
	}
	r.Header["Idempotency-Key"] = []string{}
	answer, err := over.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// A plan for others changes nothing: what was kept is replaced, and the question answered.
func TestOthersPlansReplaceKeptConnections(t *testing.T) {
	node, under, made := keeping(t)
	faults := injector(t, "")
	c := replicate.New(replicate.Config{
		ConnTimeout: 10 * time.Second, HTTPTimeout: 10 * time.Second, UserAgent: "test", Dial: Answers(faults, Dialer(faults, under)),
	})
	t.Cleanup(c.Close)
	for n := range 4 {
		load(t, faults, "net to=n9 : refuse")
		for range 2 {
			if _, err := c.Hashes(t.Context(), node, 0, 7); err != nil {
				t.Fatal(err)
			}
		}
		if made.Load() != int64(n)+1 {
			t.Errorf("%d connections for %d plans", made.Load(), n+1)
		}
	}
}
