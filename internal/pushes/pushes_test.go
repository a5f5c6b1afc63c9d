package pushes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"understudy/internal/unixsock"
	"understudy/messages"
)

const enough = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger says what it is told to say, and counts.
type ledger struct {
	sync.Mutex
	err   error
	stock bool // there is nobody to ask
	held  int
	asked []messages.PushAsk
}

func (l *ledger) Asks(messages.Node) bool { return !l.stock }

func (l *ledger) Reserve(_ context.Context, a messages.PushAsk) (func(), error) {
	l.Lock()
	defer l.Unlock()
	l.asked = append(l.asked, a)
	if l.err != nil {
		return nil, l.err
	}
	l.held++
	return sync.OnceFunc(func() { l.Lock(); l.held--; l.Unlock() }), nil
}

func (l *ledger) holds() int {
	l.Lock()
	defer l.Unlock()
	return l.held
}

func (l *ledger) await(t *testing.T, held int) {
	t.Helper()
	for end := time.Now().Add(enough); l.holds() != held; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d held, not %d", l.holds(), held)
		}
	}
}

// desk serves a ledger on a socket until stop.
func desk(t *testing.T, l *ledger) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	return path, open(t, path, l, silence)
}

func open(t *testing.T, path string, l *ledger, silence time.Duration) (stop func()) {
	t.Helper()
	socket, err := unixsock.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveAll(ctx, socket, l, silence) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

var push = messages.PushAsk{
	Partition: messages.Partition{Device: "d1", Policy: 1, Number: 7},
	Node:      messages.Node{IP: "10.0.0.1", Port: 6200, ReplicationIP: "10.1.0.1", ReplicationPort: 6300, Device: "d2", Index: -1},
	Degraded:  true, Waited: 90 * time.Second,
}

// What the daemon asks reaches the ledger whole; what is granted is held until the push
// ends, and no longer.
func TestGranted(t *testing.T) {
	l := &ledger{}
	path, _ := desk(t, l)
	c := NewClient(path, zerolog.Nop())
	if !c.Asks(push.Node) {
		t.Error("nobody is asked")
	}
	release, err := c.Reserve(t.Context(), push)
	if err != nil || release == nil {
		t.Fatal(err)
	}
	if l.asked[0] != push {
		t.Errorf("asked %+v", l.asked[0])
	}
	l.await(t, 1)
	release()
	l.await(t, 0)
	release() // as the end of a job may come twice
}

func TestNotGranted(t *testing.T) {
	l := &ledger{}
	path, _ := desk(t, l)
	c := NewClient(path, zerolog.Nop())
	l.err = &messages.BusyError{Device: "10.1.0.1:6300/d2", After: 1500 * time.Millisecond}
	release, err := c.Reserve(t.Context(), push)
	var busy *messages.BusyError
	if release != nil || !errors.As(err, &busy) || *busy != *l.err.(*messages.BusyError) {
		t.Errorf("busy: %v", err)
	}
	l.err = errors.New("reserve: the node keeps no account of pushes")
	if release, err := c.Reserve(t.Context(), push); release != nil || err == nil || !strings.Contains(err.Error(), "keeps no account") {
		t.Errorf("not offered: %v", err)
	}
	l.stock = true
	if release, err := c.Reserve(t.Context(), push); release != nil || err == nil || !strings.Contains(err.Error(), errNobody.Error()) {
		t.Errorf("a stock peer: %v", err)
	}
	if !c.Asks(push.Node) {
		t.Error("an agent that answers is not asked again")
	}
}

// A daemon that dies in the middle of a push has given its reservation back: its end of
// the connection is closed by the kernel.
func TestHolderDies(t *testing.T) {
	l := &ledger{}
	path, _ := desk(t, l)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	line := `{"Partition":{"Device":"d1"},"Node":{"ReplicationIP":"10.1.0.1","Device":"d2"}}` + "\n"
	if _, err := conn.Write([]byte(line)); err != nil {
		t.Fatal(err)
	}
	l.await(t, 1)
	_ = conn.Close()
	l.await(t, 0)
}

// A daemon that is stopped, or dead but for a thread in a dead disk, keeps its connection:
// its reservation is given back all the same. One that goes on saying that it pushes holds
// its own for as long as it likes.
func TestHolderIsSilent(t *testing.T) {
	l := &ledger{}
	path := filepath.Join(t.TempDir(), "s")
	open(t, path, l, 2*time.Second)
	c := NewClient(path, zerolog.Nop())
	c.beat = 10 * time.Millisecond
	release, err := c.Reserve(t.Context(), push)
	if err != nil {
		t.Fatal(err)
	}
	silent := NewClient(path, zerolog.Nop())
	silent.beat = time.Hour
	stuck, err := silent.Reserve(t.Context(), push)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck()
	l.await(t, 2)
	l.await(t, 1) // after two seconds the silent one's is gone, and the other's is not
	release()
	l.await(t, 0)
}

// An agent that ends gives back what it holds for its daemon, whose pushes go on; who
// asks then is told once, begins unasked, and asks again when the agent is back.
func TestAgentGoes(t *testing.T) {
	l := &ledger{}
	path, stop := desk(t, l)
	var log bytes.Buffer
	c := NewClient(path, zerolog.New(&log))
	release, err := c.Reserve(t.Context(), push)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if held := l.holds(); held != 0 {
		t.Errorf("%d held after the end", held)
	}
	for range 2 {
		if _, err := c.Reserve(t.Context(), push); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("without an agent: %v", err)
		}
	}
	release()
	if c.Asks(push.Node) {
		t.Error("an agent that is not there is asked again at once")
	}
	c.until = time.Now() // the rest is over
	if !c.Asks(push.Node) {
		t.Error("it is never asked again")
	}
	open(t, path, l, silence)
	if release, err = c.Reserve(t.Context(), push); err != nil {
		t.Fatal(err)
	}
	release()
	if text := log.String(); strings.Count(text, "pushes begin unasked") != 1 || strings.Count(text, "answers again") != 1 {
		t.Error(text)
	}
}

// An agent that accepts and says nothing costs what a question may take, and no more; a
// job that ends meanwhile tells nothing about the agent.
func TestSilentAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	socket, err := unixsock.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	c := NewClient(path, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan net.Conn, 1)
	go func() {
		conn, err := socket.Accept()
		if err != nil {
			t.Error(err)
		}
		asked <- conn
		cancel()
	}()
	if _, err := c.Reserve(ctx, push); !errors.Is(err, context.Canceled) {
		t.Errorf("the job has ended: %v", err)
	}
	defer func() { _ = (<-asked).Close() }()
	if !c.Asks(push.Node) {
		t.Error("a job that has ended makes the agent a silent one")
	}
	if _, err := c.Reserve(t.Context(), push); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	if c.Asks(push.Node) {
		t.Error("a silent agent is asked again at once")
	}
}

// Whatever is said to an agent, it asks nobody for nonsense, holds nothing, and goes on.
func TestNonsense(t *testing.T) {
	l := &ledger{}
	path, _ := desk(t, l)
	for _, line := range []string{
		"", "\n", "{", "[]\n", "null\n", "{}\n", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("[", lineBytes+1),
		`{"Partition":{"Device":"d1"}}`, `{"Node":{"ReplicationIP":"10.1.0.1","Device":"d2"}}`,
		`{"Partition":{"Device":"d1","Number":-1},"Node":{"ReplicationIP":"10.1.0.1","Device":"d2"}}`,
		`{"Partition":{"Device":"d1"},"Node":{"ReplicationIP":"10.1.0.1","Device":"d2"},"Waited":-1}`,
		`{"Partition":{"Device":"d1"},"Node":{"ReplicationIP":"10.1.0.1","Device":"d2"},"Waited":1e300}`,
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(line)) // a line that is too long is not read to its end
		_ = conn.(*net.UnixConn).CloseWrite()
		var a answer
		_ = conn.SetReadDeadline(time.Now().Add(enough))
		if err := read(conn, &a); err != nil || a.Error == "" || a.Granted || a.err() == nil {
			t.Errorf("%.40q: %+v, %v", line, a, err)
		}
		_ = conn.Close()
	}
	if len(l.asked) > 0 {
		t.Errorf("asked %+v", l.asked)
	}
	release, err := NewClient(path, zerolog.Nop()).Reserve(t.Context(), push)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

// What an agent answers that makes no sense is an error, and no push waits for it.
func TestAnswers(t *testing.T) {
	for _, a := range []answer{{}, {Busy: "d", After: -1}, {Busy: "d", After: 1e300}, {Error: "no"}} {
		var busy *messages.BusyError
		if err := a.err(); err == nil || errors.As(err, &busy) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// More than an agent has places for are turned away at once, and those that hold go on.
func TestTooMany(t *testing.T) {
	l := &ledger{}
	path, _ := desk(t, l)
	c := NewClient(path, zerolog.Nop())
	var all []func()
	for i := range mostOpen {
		release, err := c.Reserve(t.Context(), push)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		all = append(all, release)
	}
	if _, err := c.Reserve(t.Context(), push); err == nil {
		t.Error("one too many was granted")
	}
	l.await(t, mostOpen)
	for _, release := range all {
		release()
	}
	l.await(t, 0)
	c.until = time.Time{}
	for end := time.Now().Add(enough); ; time.Sleep(time.Millisecond) {
		release, err := c.Reserve(t.Context(), push)
		if err == nil {
			release()
			return
		}
		if time.Now().After(end) {
			t.Fatal(fmt.Errorf("no place is free again: %w", err))
		}
	}
}
