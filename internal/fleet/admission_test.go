package fleet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/messages"
)

func load(t *testing.T, admission string) (*Conf, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.json")
	text := `{"listen": "10.0.0.1:6210", "insecure": true, "nodes": {"n1": "10.0.0.1:6210", "n2": "10.0.0.2:6210", "n3": "10.0.0.3:6210",
		"b1": "10.0.0.9:6211", "b2": "10.0.0.9:6212", "six": "[fd00::1]:6210"}, "admission": ` + admission + `}`
	if !json.Valid([]byte(text)) {
		t.Fatal(text)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestAdmissionRefused(t *testing.T) {
	for admission, want := range map[string]string{
		`{"socket": "pushes.sock"}`:         "absolute",
		`{"term": "soon"}`:                  `term: "soon"`,
		`{"again": "-5s"}`:                  `again: "-5s"`,
		`{"term": "1ms"}`:                   "leases of 1ms",
		`{"in": -1}`:                        "less than nothing",
		`{"hosts": {"10.9.0.1": "n9"}}`:     `no node "n9"`,
		`{"hosts": {"storage-1": "n1"}}`:    `"storage-1"`,
		`{"hosts": {"10.9.0.1:a": "n1"}}`:   `"10.9.0.1:a"`,
		`{"sockets": "/run/pushes.sock"}`:   "sockets",
		`{"hosts": {"10.9.0.1:6200": "n"}}`: `no node "n"`,
	} {
		if _, err := load(t, admission); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", admission, err, want)
		}
	}
}

// A node of the ring is its agent's by the replication address, by the other one, or by
// what the file says; two agents of one address are told apart by nothing but that.
func TestFinder(t *testing.T) {
	c, err := load(t, `{"hosts": {"10.9.0.3": "n3", "10.0.0.9:6201": "b1", "fd00:0:0::2": "six"}}`)
	if err != nil {
		t.Fatal(err)
	}
	find := c.finder()
	for want, n := range map[string]messages.Node{
		"10.0.0.1:6210":  {IP: "192.0.2.1", Port: 6200, ReplicationIP: "10.0.0.1", ReplicationPort: 6200},
		"10.0.0.2:6210":  {IP: "10.0.0.2", Port: 6200, ReplicationIP: "192.0.2.2", ReplicationPort: 6200},
		"10.0.0.3:6210":  {IP: "192.0.2.3", Port: 6200, ReplicationIP: "10.9.0.3", ReplicationPort: 6200},
		"10.0.0.9:6211":  {IP: "10.0.0.9", Port: 6201, ReplicationIP: "10.0.0.9", ReplicationPort: 6201},
		"[fd00::1]:6210": {IP: "fd00::2", Port: 6200, ReplicationIP: "fd00::0:2", ReplicationPort: 6200},
	} {
		if got := find(n); got != want {
			t.Errorf("%s: %q, want %q", n, got, want)
		}
	}
	for _, n := range []messages.Node{
		{IP: "10.0.0.9", Port: 6202, ReplicationIP: "10.0.0.9", ReplicationPort: 6202},
		{IP: "192.0.2.7", Port: 6200, ReplicationIP: "storage-7", ReplicationPort: 6200},
	} {
		if got := find(n); got != "" {
			t.Errorf("%s: %q, want nobody", n, got)
		}
	}
}

// Off is what it is without a word.
func TestNoAdmission(t *testing.T) {
	c, err := load(t, "null")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := c.Leases(); a != nil || err != nil {
		t.Errorf("%v, %v", a, err)
	}
	if c, err = load(t, "{}"); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Leases(); a == nil || err != nil || c.Admission.Desk() != DefaultDesk {
		t.Errorf("%v, %v, %s", a, err, c.Admission.Desk())
	}
}
