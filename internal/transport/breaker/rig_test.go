package breaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"understudy/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wall is virtual in a bubble.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

// dice fall on their share of the faces.
type dice float64

func (d dice) IntN(n int) int { return int(float64(d) * float64(n)) }

// inner is what is behind the breakers: a script that lasts and ends as it likes.
type inner struct {
	mu     sync.Mutex
	script func(ctx context.Context, node messages.Node) (messages.SyncResult, error)
	calls  []string
}

func (i *inner) play(ctx context.Context, node messages.Node) (messages.SyncResult, error) {
	i.mu.Lock()
	i.calls = append(i.calls, node.String())
	script := i.script
	i.mu.Unlock()
	return script(ctx, node)
}

func (i *inner) Hashes(ctx context.Context, node messages.Node, _ int, _ uint32) (messages.Hashes, error) {
	if _, err := i.play(ctx, node); err != nil {
		return nil, err
	}
	return messages.Hashes{"abc": "x"}, nil
}

func (i *inner) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	return i.play(ctx, job.Node)
}

// world is a Set between a caller and a script.
type world struct {
	*Set
	inner inner
	log   logLines
}

func newWorld(jitter float64) *world {
	w := &world{}
	w.Set = New(Config{Clock: wall{}, Rand: dice(jitter), Log: zerolog.New(&w.log)})
	return w
}

// ends makes every call end so from now on.
func (w *world) ends(took time.Duration, r messages.SyncResult, err error) {
	w.inner.mu.Lock()
	defer w.inner.mu.Unlock()
	w.inner.script = func(context.Context, messages.Node) (messages.SyncResult, error) {
		time.Sleep(took)
		return r, err
	}
}

func (w *world) ask(ctx context.Context, device string) error {
	_, err := w.Peers(&w.inner).Hashes(ctx, nodeOf(device), 0, 7)
	return err
}

func (w *world) push(ctx context.Context, device, lane string) (messages.SyncResult, error) {
	return w.Transport(&w.inner, lane).Sync(ctx, messages.SyncJob{Node: nodeOf(device), Suffixes: []string{"abc"}})
}

// tried is the number of calls that came through since it was last asked for.
func (w *world) tried() int {
	w.inner.mu.Lock()
	defer w.inner.mu.Unlock()
	n := len(w.inner.calls)
	w.inner.calls = nil
	return n
}

// shut are the breakers that are open.
func (w *world) shut() []string {
	peers := []string{}
	for _, s := range w.States() {
		peers = append(peers, fmt.Sprintf("%s %s %s", s.Lane, s.Peer, s.Breaker))
	}
	return peers
}

func nodeOf(device string) messages.Node {
	return messages.Node{ReplicationIP: "10.0.0.1", ReplicationPort: 6200, Device: device}
}

const address = "10.0.0.1:6200"

func timeout(device string) error {
	return &messages.PeerError{Node: nodeOf(device), Why: "Timeout (60s)", Silence: messages.Unanswered, Err: errors.New("Timeout (60s)")}
}

func refused(device string) error {
	err := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	return &messages.PeerError{Node: nodeOf(device), Why: "Connection refused", Silence: messages.Unreachable, Err: err}
}

func status(device string, code int) error {
	return &messages.StatusError{Node: nodeOf(device), Status: code}
}

type line struct {
	Level, Message, Peer, Lane, Why string
	Jobs                            int
	Wait                            float64
}

type logLines struct {
	mu  sync.Mutex
	all []line
}

func (l *logLines) Write(p []byte) (int, error) {
	var entry line
	if err := json.Unmarshal(p, &entry); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, entry)
	return len(p), nil
}

func (l *logLines) lines() []line {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]line(nil), l.all...)
}
