package process

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"understudy/internal/cluster"
	"understudy/internal/swift/hashes"
)

// TestServesPeers: with serve_peers the replicator's process answers peers where the
// ring says that they ask, as the user that it became, through a reload with a new
// policy, until a stop; a pass in script mode beside it leaves the port alone.
func TestServesPeers(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{"serve_peers": "yes"})
	suffix := filepath.Join(n.DevicesRoot(), n.Devices[0], "objects/7/abc")
	object := filepath.Join(suffix, strings.Repeat("0", 29)+"abc", "1700000000.00000.data")
	if err := os.MkdirAll(filepath.Dir(object), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("chown", "-R", cluster.User, filepath.Join(n.DevicesRoot(), n.Devices[0])).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m := newManager(t)
	p := replicator(t, c, n, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, m.env()) })
	if out := p.output(t); out != "" {
		t.Errorf("it printed %q", out)
	}
	if word := m.next(t); word != "READY=1" {
		t.Errorf("the first word is %q", word)
	}
	address := net.JoinHostPort(n.IP, strconv.Itoa(cluster.ServerPort))
	if status, body := replicate(t, address, n.Devices[0], 0); status != 200 || len(body["abc"]) != 32 {
		t.Errorf("%d %v", status, body)
	}
	if status, _ := replicate(t, address, n.Devices[0], 3); status != 503 {
		t.Errorf("an unknown policy: %d", status)
	}
	once := replicator(t, c, n, nil, "-o")
	if status := once.ended(t, patience); status != 0 {
		t.Errorf("a pass beside it: status %d, %s", status, once.output(t))
	}
	swiftConf := filepath.Join(c.Etc(), "swift.conf")
	text, err := os.ReadFile(swiftConf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(swiftConf, append(text, "\n[storage-policy:3]\nname = new\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	await(t, patience, func() string {
		if status, _ := replicate(t, address, n.Devices[0], 3); status != 200 {
			return fmt.Sprintf("the new policy: %d", status)
		}
		return ""
	})
	sent := p.signal(t, syscall.SIGTERM)
	if status := p.ended(t, patience); status != 0 {
		t.Errorf("status %d", status)
	}
	if took := time.Since(sent); took > stopLimit {
		t.Errorf("the stop took %s", took)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("somebody listens")
	}
	lines, err := n.Log.Lines("object-replicator")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`"REPLICATE /%s/7" 200 `, n.Devices[0]); !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, want) }) {
		t.Errorf("%s is not in the log", want)
	}
}

// replicate asks for the hashes of partition 7.
func replicate(t *testing.T, address, device string, policy int) (int, map[string]string) {
	t.Helper()
	req, err := http.NewRequest("REPLICATE", "http://"+address+"/"+device+"/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Backend-Storage-Policy-Index", strconv.Itoa(policy))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	told, err := hashes.DecodeWire(body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, told
}

// TestServesNobodyElsesPort: a port that is in use is waited for, and then the start
// fails with Swift's words.
func TestServesNobodyElsesPort(t *testing.T) {
	t.Parallel()
	c, n := newNode(t, map[string]string{"serve_peers": "yes"})
	l, err := net.Listen("tcp", net.JoinHostPort(n.IP, strconv.Itoa(cluster.ServerPort)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conf, err := os.ReadFile(n.ConfPath())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.ConfPath(), []byte(strings.Replace(string(conf), "[app:object-server]\n", "[app:object-server]\nbind_timeout = 1\n", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	p := replicator(t, c, n, nil)
	if status := p.ended(t, patience); status != 1 {
		t.Errorf("status %d", status)
	}
	if want, out := fmt.Sprintf("Could not bind to %s:%d after trying for 1 seconds\n", n.IP, cluster.ServerPort), p.output(t); out != want {
		t.Errorf("it printed %q, want %q", out, want)
	}
}
