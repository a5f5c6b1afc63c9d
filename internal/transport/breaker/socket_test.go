package breaker

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/swift/hashes"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

// A peer that accepts connections and never answers. Two hundred partitions are
// asked about; all fail for their callers, and one time-out is what they cost. When
// the peer answers again, it is asked again.
func TestHungPeer(t *testing.T) {
	p := newHung(t)
	client := replicate.New(replicate.Config{
		ConnTimeout: 5 * time.Second, HTTPTimeout: 300 * time.Millisecond, UserAgent: "object-replicator 1",
	})
	t.Cleanup(client.Close)
	s := New(Config{Clock: wall{}, Rand: dice(0), Log: zerolog.Nop()})
	peers := s.Peers(client)
	untried := 0
	for part := range uint32(200) {
		_, err := peers.Hashes(t.Context(), p.node, 0, part)
		var peer *messages.PeerError
		if !errors.As(err, &peer) || peer.Why != "Timeout (0.3s)" || peer.Node != p.node {
			t.Fatalf("partition %d: %v", part, err)
		}
		if peer.Untried {
			untried++
		}
	}
	states := s.States()
	if len(states) != 1 || states[0].Peer != p.node.String() || states[0].Why != "Timeout (0.3s)" {
		t.Fatalf("%+v", states)
	}
	// The first, and one at most for each three seconds that this machine took.
	conns := int(p.conns.Load())
	if conns != states[0].Failures || conns > 1+int(time.Since(states[0].Since)/(3*time.Second)) || untried != 200-conns {
		t.Errorf("%d connections, %d calls untried: %+v", conns, untried, states)
	}
	p.answers.Store(true)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, err := peers.Hashes(t.Context(), p.node, 0, 7)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("a peer that answers is not asked: %v, %+v", err, s.States())
		}
	}
	if got := s.States(); len(got) > 0 {
		t.Errorf("after an answer: %+v", got)
	}
}

// hung is a listener that holds its connections, until it is told to answer.
type hung struct {
	node    messages.Node
	conns   atomic.Int64
	answers atomic.Bool
}

func newHung(t *testing.T) *hung {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &hung{node: messages.Node{ReplicationIP: "127.0.0.1", ReplicationPort: l.Addr().(*net.TCPAddr).Port, Device: "sda1"}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.conns.Add(1)
			running.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return p
}

func (p *hung) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			return
		}
	}
	if p.answers.Load() {
		body := string(hashes.EncodeWire(nil))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+body)
		return
	}
	_, _ = io.Copy(io.Discard, r)
}
