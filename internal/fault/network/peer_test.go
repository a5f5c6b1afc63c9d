package network

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"understudy/internal/fault"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

// asked is what our own client makes of a peer's answer, when the peer is a server that
// has one suffix.
func asked(t *testing.T, faults *fault.Injector, limit time.Duration) (messages.Hashes, error) {
	t.Helper()
	body := "\x80\x02}q\x00X\x03\x00\x00\x00abcq\x01X \x00\x00\x00d41d8cd98f00b204e9800998ecf8427eq\x02s."
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	c := replicate.New(replicate.Config{
		ConnTimeout: 10 * time.Second, HTTPTimeout: limit, UserAgent: "test",
		Dial: Answers(faults, Dialer(faults, real)),
	})
	t.Cleanup(c.Close)
	port := l.Addr().(*net.TCPAddr).Port
	return c.Hashes(t.Context(), messages.Node{ReplicationIP: "127.0.0.1", ReplicationPort: port, Device: "d1"}, 0, 7)
}

func TestAnswers(t *testing.T) {
	status := func(code int) func(messages.Hashes, error) bool {
		return func(_ messages.Hashes, err error) bool {
			var s *messages.StatusError
			return errors.As(err, &s) && s.Status == code
		}
	}
	bad := func(_ messages.Hashes, err error) bool {
		var p *messages.PeerError
		return errors.As(err, &p)
	}
	for plan, check := range map[string]func(messages.Hashes, error) bool{
		"peer peer=n2 device=d1 verb=REPLICATE partition=7 : answer 507": status(507),
		"peer : answer 503": status(503),
		"peer : answer 500": status(500),
		"peer : garbage":    bad,
		"peer : pickle wrong": func(h messages.Hashes, err error) bool {
			return bad(h, err)
		},
		"peer : pickle truncated": bad,
		"peer : pickle garbage":   bad,
		"peer : pickle empty":     func(h messages.Hashes, err error) bool { return err == nil && len(h) == 0 },
		"peer device=d2 : garbage": func(h messages.Hashes, err error) bool {
			return err == nil && len(h) == 1
		},
	} {
		faults := injector(t, plan)
		h, err := asked(t, faults, 10*time.Second)
		if !check(h, err) {
			t.Errorf("%s: %v %v", plan, h, err)
		}
		if want := !strings.Contains(plan, "d2"); faults.Counts()[0].Fired > 0 != want {
			t.Errorf("%+v", faults.Counts())
		}
	}
}

func TestSilence(t *testing.T) {
	if _, err := asked(t, injector(t, "peer : silence"), 20*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := asked(t, injector(t, "peer : silence for=10ms"), 10*time.Second); err == nil {
		t.Error("a request that was lost has been answered")
	}
}
