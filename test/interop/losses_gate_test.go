package interop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// hold is a replicator's transfer that stands still until it is let go.
type hold struct {
	point string // where, in the words of the gate that holds it
	to    string // the destination
	free  chan struct{}
	once  sync.Once
}

func (h *hold) letGo() { h.once.Do(func() { close(h.free) }) }

// gate holds transfers at certain points and shows them to the test, one at a time
// and in order of arrival. Once open it holds nothing, until it is shut again.
type gate struct {
	held chan *hold
	end  <-chan struct{} // of the test

	mu   sync.Mutex
	open chan struct{} // closed: the gate is open
}

func newGate(t *testing.T) *gate {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return &gate{held: make(chan *hold), open: make(chan struct{}), end: ctx.Done()}
}

// letAllGo opens the gate.
func (g *gate) letAllGo() { close(g.open) }

// shut shuts an open gate.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

// pause stands still at a point until the test lets go.
func (g *gate) pause(point, to string) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	h := &hold{point: point, to: to, free: make(chan struct{})}
	select {
	case g.held <- h:
	case <-open:
		return
	case <-g.end:
		return
	}
	select {
	case <-h.free:
	case <-open:
	case <-g.end:
	}
}

// await lets everything of a replicator go by up to its nth hold at a point, and
// returns that.
func (g *gate) await(t *testing.T, ctx context.Context, r *cluster.Replicator, point string, nth int) *hold {
	t.Helper()
	for {
		select {
		case h := <-g.held:
			if h.point == point {
				if nth--; nth == 0 {
					return h
				}
			}
			h.letGo()
		case <-r.Done():
			t.Fatalf("the replicator has ended, and %d more should have come to %q: %v", nth, point, r.Wait(ctx))
		case <-ctx.Done():
			t.Fatalf("%d more should have come to %q", nth, point)
		}
	}
}

// The points of a gate of rsyncs. Only our replicator proves.
const (
	beforePush  = "push before"
	afterPush   = "push after"
	beforeProof = "prove before"
	afterProof  = "prove after"
)

// rsyncWrapper tells a gate of each rsync before and after it runs.
const rsyncWrapper = `#!/bin/bash
what=push
for to; do [ "$to" = --dry-run ] && what=prove; done
exec 9<>/dev/tcp/%s/%s || exit 99
pass() { echo "$1|$to" >&9 && read -r _ <&9 || exit 99; }
pass "$what before"
/usr/bin/rsync "$@" 9>&-
code=$?
pass "$what after"
exit $code
`

// gatedRsync is a program whose rsyncs go through a gate, by a wrapper that is given
// the gate's host and port.
func gatedRsync(t *testing.T, c *cluster.Cluster, p cluster.Program, wrapper string) (cluster.Program, *gate) {
	t.Helper()
	g := newGate(t)
	l := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			point, to, _ := strings.Cut(strings.TrimSpace(line), "|")
			g.pause(point, to)
			if _, err := io.WriteString(conn, "go\n"); err != nil {
				return
			}
		}
	})
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return withRsync(t, c, p, fmt.Sprintf(wrapper, host, port)), g
}

// withRsync is a program that finds a script as rsync in its PATH.
func withRsync(t *testing.T, c *cluster.Cluster, p cluster.Program, script string) cluster.Program {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Join(c.Root, "run"), "path-")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "replicator")
	for path, text := range map[string]string{
		filepath.Join(dir, "rsync"): script,
		program:                     fmt.Sprintf("#!/bin/sh\nPATH=%s:$PATH exec %s \"$@\"\n", dir, p.Path),
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return cluster.Program{Name: p.Name, Path: program}
}

// The points of a gate of ssync.
const (
	beforeSession = "session asked for" // nothing has reached the receiver
	afterCheck    = "wants known"       // the receiver has said what it wants
	afterUpdates  = "updates taken"     // it has taken all, the sender does not know yet
)

// serverBehind is the port of an object server that stands behind a gate.
const serverBehind = cluster.ServerPort + 1

// gateSsync starts nodes whose object servers are behind a gate.
func gateSsync(t *testing.T, ctx context.Context, c *cluster.Cluster, nodes ...*cluster.Node) *gate {
	t.Helper()
	g := newGate(t)
	for _, n := range nodes {
		conf, err := os.ReadFile(n.ConfPath())
		if err != nil {
			t.Fatal(err)
		}
		moved := bytes.Replace(conf, fmt.Appendf(nil, "bind_port = %d", cluster.ServerPort), fmt.Appendf(nil, "bind_port = %d", serverBehind), 1)
		if bytes.Equal(conf, moved) {
			t.Fatal("no bind_port in object-server.conf")
		}
		if err := os.WriteFile(n.ConfPath(), moved, 0o644); err != nil {
			t.Fatal(err)
		}
		listen(t, n.Addr(), func(conn net.Conn) { g.forward(conn, n) })
		start(t, ctx, c, n)
		awaitServer(t, ctx, behind(n))
		// The replicator reads the file anew, and must find the ring's port.
		if err := os.WriteFile(n.ConfPath(), conf, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func behind(n *cluster.Node) string { return net.JoinHostPort(n.IP, strconv.Itoa(serverBehind)) }

func listen(t *testing.T, addr string, handle func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	return l
}

// awaitServer waits until a server answers: it accepts connections before it has
// read all of its configuration.
func awaitServer(t *testing.T, ctx context.Context, addr string) {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/recon/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("wait for %s: %v", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// forward copies a connection to the server behind and back, and stands still at
// the points of a session.
func (g *gate) forward(conn net.Conn, n *cluster.Node) {
	back, err := net.Dial("tcp", behind(n))
	if err != nil {
		return
	}
	defer back.Close()
	go func() {
		defer back.Close()
		defer conn.Close()
		first := true
		copyWatched(back, conn, func(data []byte) {
			if first && bytes.HasPrefix(data, []byte("SSYNC ")) {
				g.pause(beforeSession, n.IP)
			}
			first = false
		})
	}()
	copyWatched(conn, back, func(data []byte) {
		if bytes.Contains(data, []byte(":MISSING_CHECK: END")) {
			g.pause(afterCheck, n.IP)
		}
		if bytes.Contains(data, []byte(":UPDATES: END")) {
			g.pause(afterUpdates, n.IP)
		}
	})
}

// copyWatched copies what comes and shows each piece before it goes on. The markers
// are chunks of their own, and so are never cut.
func copyWatched(to io.Writer, from io.Reader, see func([]byte)) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			see(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
