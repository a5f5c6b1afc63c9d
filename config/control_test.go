package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The socket is beside the recon file unless it is elsewhere or nowhere, and is found
// in a file that is wrong otherwise.
func TestControlSocket(t *testing.T) {
	for _, c := range []struct{ text, want, problem string }{
		{"", "/var/cache/swift/understudy/control.sock", ""},
		{"recon_cache_path = /r", "/r/understudy/control.sock", ""},
		{"control_socket =", "/var/cache/swift/understudy/control.sock", ""},
		{"control_socket = /run/u.sock\nrecon_cache_path = /r", "/run/u.sock", ""},
		{"control_socket = none", "", ""},
		{"concurrency = many", "/var/cache/swift/understudy/control.sock", ""},
		{"control_socket = u.sock", "", "control_socket: must be an absolute path, or none"},
		{"a = 1\na = 2", "", "a"},
	} {
		path := filepath.Join(t.TempDir(), "object-server.conf")
		if err := os.WriteFile(path, []byte("[object-replicator]\n"+c.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ControlSocket(path)
		if got != c.want || (err != nil) != (c.problem != "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %q, %v; want %q, %q", c.text, got, err, c.want, c.problem)
		}
	}
	if _, err := ControlSocket("/nowhere/object-server.conf"); err == nil {
		t.Error("no file, but no error")
	}
}

func TestControlForms(t *testing.T) {
	for text, want := range map[string]fs.FileMode{"0600": 0o600, "660": 0o660, "0o600": 0, "1777": 0, "-1": 0, "rw": 0} {
		if err := modeForm(text); (err == nil) != (want != 0) {
			t.Errorf("mode %q: %v", text, err)
		}
		if got := (Control{Mode: text}).FileMode(); want != 0 && got != want {
			t.Errorf("mode %q is %v", text, got)
		}
	}
	for text, good := range map[string]bool{
		"127.0.0.1:6205": true, "[::1]:6205": true, "0.0.0.0:80": true, ":6205": false, "localhost:6205": false, "127.0.0.1": false, "127.0.0.1:0": false, "1.2.3.4:99999": false,
	} {
		if err := statusForm(text); (err == nil) != good {
			t.Errorf("address %q: %v", text, err)
		}
	}
}
