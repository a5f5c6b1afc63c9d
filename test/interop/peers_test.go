package interop

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// TestBadPeers puts peers that fail in one way each in the place of all other
// nodes. Both programs must log Swift's words, count the same, and leave the local
// copies as they were.
func TestBadPeers(t *testing.T) {
	for _, bad := range []struct {
		name  string
		serve func(t *testing.T, addr string) // nil: nothing listens
		stock string                          // in Swift's log; its lines name nodes in three ways
		ours  string                          // in ours; NODE is ip:port/device
	}{
		{"answers 500", answer(500, "broken"), "Invalid response 500 from ", "Invalid response 500 from NODE"},
		{"answers 404", answer(404, ""), "Invalid response 404 from ", "Invalid response 404 from NODE"},
		{"answers 507", answer(507, "unmounted"), "responded as unmounted", "NODE responded as unmounted"},
		{"all answer 507", answer(507, "unmounted"), "Ran out of handoffs while replicating partition", "Ran out of handoffs while replicating partition"},
		{"answers garbage", answer(200, "certainly no pickle"), "Error syncing with node: ", "Error syncing with node: NODE: "},
		{"answers nothing", answer(200, ""), "Error syncing with node: ", "Error syncing with node: NODE: "},
		{"is silent", silent, "Timeout (1s)", "Error syncing with node: NODE: Timeout (1s"},
		{"hangs up", hangsUp, "Error syncing with node: ", "Error syncing with node: NODE: "},
		{"speaks no HTTP", speaksNoHTTP, "Error syncing with node: ", "Error syncing with node: NODE: "},
		{"is not there", nil, "Connection refused", "Error syncing with node: NODE: Connection refused"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			c := lonely(t)
			if bad.serve != nil {
				for _, n := range c.Nodes[1:] {
					bad.serve(t, n.Addr())
				}
			}
			theirs, run := passAgain(t, c, cluster.Stock)
			wantLogged(t, run, "Swift", bad.stock)
			own, run := passAgain(t, c, ours(t))
			peer := c.Nodes[1]
			wantLogged(t, run, "ours", strings.ReplaceAll(bad.ours, "NODE", peer.Addr()+"/d1"))
			if !reflect.DeepEqual(theirs, own) {
				t.Errorf("the counters differ\nSwift %+v\nours  %+v", theirs, own)
			}
			if own.Failure == 0 || own.Rsync != 0 {
				t.Errorf("a bad peer must be a failure and get nothing: %+v", own)
			}
		})
	}
}

// TestEndlessPeer answers with a body that never ends. Swift would read for ever;
// we must give up at our bound, count the failure and end the pass.
func TestEndlessPeer(t *testing.T) {
	t.Parallel()
	c := lonely(t)
	for _, n := range c.Nodes[1:] {
		serveHTTP(t, n.Addr(), func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
	}
	stats, run := passAgain(t, c, ours(t))
	wantLogged(t, run, "ours", "Error syncing with node: "+c.Nodes[1].Addr()+"/d1: ")
	if stats.Failure == 0 || stats.Rsync != 0 || stats.Attempted == 0 {
		t.Errorf("counters %+v", stats)
	}
}

// TestNoRsyncd leaves the peers without an rsync daemon: each compares well, then
// cannot be pushed to. Both programs must say so in rsync's own words and count the
// same; nothing may arrive or be lost.
func TestNoRsyncd(t *testing.T) {
	t.Parallel()
	ctx := deadline(t)
	c := lonely(t)
	start(t, ctx, c, c.Nodes[1:]...)
	for _, n := range c.Nodes[1:] {
		n.StopRsyncd()
	}
	theirs, run := passAgain(t, c, cluster.Stock)
	wantLogged(t, run, "Swift", "Bad rsync return code: 10 <- ['rsync', '--recursive', ")
	own, run := passAgain(t, c, ours(t))
	wantLogged(t, run, "ours", "Bad rsync return code: 10 <- ['rsync', '--recursive', ")
	if !reflect.DeepEqual(theirs, own) || own.Rsync == 0 || own.Failure == 0 {
		t.Errorf("the counters differ or miss the failures\nSwift %+v\nours  %+v", theirs, own)
	}
}

// lonely is a cluster of four nodes with one device each, of which only the first
// has objects.
func lonely(t *testing.T) *cluster.Cluster {
	t.Helper()
	ctx := deadline(t)
	c := newCluster(t, ctx, cluster.Spec{
		Nodes: 4, Devices: 1,
		Policies:   []cluster.Policy{{Index: 0, Name: "gold", PartPower: 3}},
		Replicator: map[string]string{"http_timeout": "1"},
	})
	var missing []cluster.Device
	for _, n := range c.Nodes[1:] {
		missing = append(missing, cluster.Device{IP: n.IP, Name: "d1"})
	}
	tree := cluster.Tree{Seed: 5, Objects: 20, Policies: []int{0}, Base: time.Now().Add(-time.Hour)}
	write(t, ctx, c, &cluster.History{}, tree.Ops(), missing...)
	return c
}

// passAgain runs a pass on the first node with nothing cached. What the node has
// must be the same afterwards.
func passAgain(t *testing.T, c *cluster.Cluster, p cluster.Program) (cluster.Stats, *cluster.Run) {
	t.Helper()
	n := c.Nodes[0]
	forgetHashes(t, n)
	before := filesOf(t, n)
	run, r := pass(t, deadline(t), n, p)
	wantSameFiles(t, p, before, filesOf(t, n))
	return *r.Stats, run
}

func forgetHashes(t *testing.T, n *cluster.Node) {
	t.Helper()
	caches, err := filepath.Glob(n.ObjectsPath("d*", 0) + "/*/hashes.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range caches {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func filesOf(t *testing.T, n *cluster.Node) map[string]string {
	t.Helper()
	files, err := n.Files()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there is nothing that could be lost")
	}
	return files
}

func wantSameFiles(t *testing.T, p cluster.Program, before, after map[string]string) {
	t.Helper()
	if !reflect.DeepEqual(before, after) {
		t.Errorf("%s changed what the node has\nbefore %v\nafter  %v", p.Name, before, after)
	}
}

func wantLogged(t *testing.T, run *cluster.Run, who, text string) {
	t.Helper()
	if len(run.Logged(text)) == 0 {
		var log strings.Builder
		for _, line := range run.Log[:min(len(run.Log), 40)] {
			fmt.Fprintf(&log, "\n%.300s", line)
		}
		t.Errorf("%s did not log %q but%s", who, text, &log)
	}
}

func serveHTTP(t *testing.T, addr string, handle http.HandlerFunc) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handle}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
}

func answer(status int, body string) func(*testing.T, string) {
	return func(t *testing.T, addr string) {
		t.Helper()
		serveHTTP(t, addr, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "REPLICATE" {
				t.Errorf("a peer was asked to %s %s", r.Method, r.URL)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
}

// serveRaw gives every connection to a function and closes it when that returns.
func serveRaw(t *testing.T, addr string, handle func(net.Conn)) {
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
}

func silent(t *testing.T, addr string) {
	t.Helper()
	serveRaw(t, addr, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

func hangsUp(t *testing.T, addr string) {
	t.Helper()
	serveRaw(t, addr, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
}

func speaksNoHTTP(t *testing.T, addr string) {
	t.Helper()
	serveRaw(t, addr, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "220 mail.example.com ESMTP ready\r\n")
	})
}
