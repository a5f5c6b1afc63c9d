package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/server"
	"understudy/internal/server/swifttest"
	"understudy/internal/store"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

var policies = []messages.Policy{{Index: 0, Name: "gold"}, {Index: 1, Name: "silver"}}

// began is the time that all trees are made by.
var began = time.Now().Unix()

// tree makes a devices directory with a few objects. Any two are the same.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"sda1/objects/9", "sdb1"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i, policy := range []string{"objects", "objects-1"} {
		for _, suffix := range []string{"abc", "def", "012"} {
			for n := range 2 {
				put(t, root, policy, 7+i, suffix, n, fmt.Sprintf("%010d.00000.data", began-10000-int64(n)))
			}
			put(t, root, policy, 7+i, suffix, 3, fmt.Sprintf("%010d.00000.ts", began-5000))
		}
	}
	return root
}

func put(t *testing.T, root, policy string, part int, suffix string, n int, name string) {
	t.Helper()
	dir := filepath.Join(root, "sda1", policy, fmt.Sprint(part), suffix, fmt.Sprintf("%029d%s", n, suffix))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func newStore(root string) *store.Store {
	return store.New(store.Options{Root: root, ReclaimAge: 7 * 24 * time.Hour, Log: zerolog.Nop()})
}

// start serves until the test ends.
func start(t *testing.T, s *server.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// reply is what matters of a response.
type reply struct {
	status      int
	contentType string
	length      int64
	body        string
}

func ask(t *testing.T, address, request string) reply {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), resp.ContentLength, string(body)}
}

func request(line string, headers ...string) string {
	return line + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

// The same requests to the same tree have the same answers from Swift and from
// us. A newer object shows only after its suffix was invalidated.
func TestAnswersAreSwifts(t *testing.T) {
	theirRoot, ourRoot := tree(t), tree(t)
	theirs := swifttest.ObjectServer(t, theirRoot)
	ours := start(t, server.New(server.Config{Store: newStore(ourRoot), Policies: policies, Log: zerolog.Nop()}))
	both := func(req string) reply {
		t.Helper()
		want, got := ask(t, theirs, req), ask(t, ours, req)
		if strings.HasPrefix(want.body, "\x80\x02}") {
			wm, err := hashes.DecodeWire([]byte(want.body))
			if err != nil {
				t.Fatal(err)
			}
			gm, err := hashes.DecodeWire([]byte(got.body))
			if err != nil || !maps.Equal(gm, wm) {
				t.Errorf("%.80q: %v, %v; Swift has %v", req, gm, err, wm)
			}
			got.body = want.body // the order of the keys is nobody's concern
		}
		if got != want {
			t.Errorf("%.80q: got %+v, Swift answers %+v", req, got, want)
		}
		return got
	}
	silver := "X-Backend-Storage-Policy-Index: 1"
	for _, req := range []string{
		request("REPLICATE /sda1/7"), request("REPLICATE /sda1/7"), request("REPLICATE /sda1/7/"), request("REPLICATE /sda1/7?x=1"),
		request("REPLICATE /sda1/8", silver), request("REPLICATE /sda1/8"), request("REPLICATE /sda1/9"), request("REPLICATE /sdb1/7"),
		request("REPLICATE /sda1/7/abc-xyz-ABC"), request("REPLICATE /sda1/7/xyz"), request("REPLICATE /sda1/7/abc/def"),
		request("REPLICATE /sdz9/7"), request("REPLICATE /sdz9/7/abc"), request("REPLICATE /sd%3d1/7"), request("REPLICATE /sda1%2f7"),
		request("REPLICATE /sda1"), request("REPLICATE /"), request("REPLICATE //7"), request("REPLICATE /../7"), request("REPLICATE /./7"),
		request("REPLICATE /%2e%2e/7"), request("REPLICATE /sda1/.."), request("REPLICATE /sda1/%2e%2e/abc"), request("REPLICATE /sda1//abc"),
		request("REPLICATE /%ff/7"), request("REPLICATE /\xff/7"), request("REPLICATE /sd%20a"), request("REPLICATE http://x/sda1/7"),
		request("REPLICATE /sda1/7", "X-Backend-Storage-Policy-Index: 9"), request("REPLICATE /sda1/7", "X-Backend-Storage-Policy-Index:"),
		request("REPLICATE /sda1/7", "X-Backend-Storage-Policy-Index: abc"), request("REPLICATE /sda1/8", "X-Backend-Storage-Policy-Index: 01"),
		request("REPLICATE /sda1/7", "X-Backend-Storage-Policy-Index: -1"), request("REPLICATE /sdz9", "X-Backend-Storage-Policy-Index: 9"),
		request("FOO /sda1/7"), request("HEALTHCHECK /healthcheck"), request("GET /healthcheck"), request("HEAD /healthcheck"), request("GET /%68ealthcheck"),
		"REPLICATE /sda1/7 HTTP/1.0\r\n\r\n", "REPLICATE /sda1/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	} {
		both(req)
	}
	query := request("REPLICATE /sda1/7")
	before := both(query).body
	for _, root := range []string{theirRoot, ourRoot} {
		put(t, root, "objects", 7, "abc", 1, fmt.Sprintf("%010d.00000.data", began-100))
	}
	if again := both(query).body; again != before {
		t.Error("an object that nobody told of changed the hashes")
	}
	both(request("REPLICATE /sda1/7/abc-def"))
	if after := both(query).body; after == before {
		t.Error("hashes are the same after an invalidation")
	}
	for _, root := range []string{theirRoot, ourRoot} {
		if _, err := os.Stat(filepath.Join(root, "sdb1/objects")); !os.IsNotExist(err) {
			t.Errorf("%s: a query made the partition: %v", root, err)
		}
		if _, err := os.Stat(filepath.Join(root, "sdz9")); !os.IsNotExist(err) {
			t.Errorf("%s: a query made the device: %v", root, err)
		}
	}
}

// With replication_server = false neither has REPLICATE.
func TestNoReplicationServer(t *testing.T) {
	root := tree(t)
	theirs := swifttest.ObjectServer(t, root, "replication_server = false")
	ours := start(t, server.New(server.Config{Store: newStore(root), Policies: policies, Log: zerolog.Nop(), NoReplication: true}))
	for _, req := range []string{request("REPLICATE /sda1/7"), request("SSYNC /sda1/7"), request("GET /healthcheck")} {
		if want, got := ask(t, theirs, req), ask(t, ours, req); got != want {
			t.Errorf("%q: got %+v, Swift answers %+v", req, got, want)
		}
	}
}
