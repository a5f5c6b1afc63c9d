package replicate

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"understudy/internal/server/swifttest"
	"understudy/messages"
)

// The client against a real object server: it reads hashes, tells of suffixes,
// and keeps its connection.
func TestSwiftsObjectServer(t *testing.T) {
	root := t.TempDir()
	put := func(name string) {
		t.Helper()
		dir := filepath.Join(root, "sda1", "objects-1", "17", "a83", "0123456789abcdef0123456789abca83")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().Unix()
	name := func(age int64) string { return fmt.Sprintf("%010d.00000", now-age) }
	put(name(1000) + ".data")
	host, port, err := net.SplitHostPort(swifttest.ObjectServer(t, root))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	node := messages.Node{ReplicationIP: host, ReplicationPort: n, Device: "sda1"}
	c := client(t, nil)
	expect := func(policy int, part uint32, want map[string]string) {
		t.Helper()
		got, err := c.Hashes(t.Context(), node, policy, part)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	first, err := c.Hashes(t.Context(), node, 1, 17)
	if err != nil || len(first) != 1 || len(first["a83"]) != 32 {
		t.Fatalf("got %v, %v", first, err)
	}
	expect(0, 17, nil)
	expect(1, 18, nil)
	put(name(500) + ".data")
	expect(1, 17, first)
	if err := c.Invalidate(t.Context(), node, 1, 17, []string{"a83", "b00"}); err != nil {
		t.Error(err)
	}
	second, err := c.Hashes(t.Context(), node, 1, 17)
	if err != nil || len(second) != 1 || second["a83"] == first["a83"] {
		t.Errorf("after Invalidate: %v, %v", second, err)
	}
	if kept := c.pool.count; kept != 1 {
		t.Errorf("%d connections kept, want 1", kept)
	}
	_, err = c.Hashes(t.Context(), node, 9, 17)
	var status *messages.StatusError
	if !errors.As(err, &status) || status.Status != 503 {
		t.Errorf("unknown policy: %v", err)
	}
	node.Device = "sdz1"
	_, err = c.Hashes(t.Context(), node, 1, 17)
	if !errors.As(err, &status) || status.Status != 507 {
		t.Errorf("missing device: %v", err)
	}
}
