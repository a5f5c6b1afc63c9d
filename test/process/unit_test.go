package process

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"understudy/config"
)

const (
	unitDir = "../../packaging/systemd"
	dropIn  = unitDir + "/understudy.conf"
)

// TestDropIn: what the drop-in adds to Debian's units lets the daemon notify, reload
// and end its children, and gives it no mounts of its own, not even with every hint
// in it taken.
func TestDropIn(t *testing.T) {
	t.Parallel()
	lines := settings(t, dropIn)
	for _, want := range []string{"Type=notify", "WatchdogSec=60", "KillMode=mixed", "Restart=on-failure", "ExecReload=/bin/kill -HUP $MAINPID"} {
		if !slices.Contains(lines, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	text, err := os.ReadFile(dropIn)
	if err != nil {
		t.Fatal(err)
	}
	forbidden := namespaced(t)
	hints := regexp.MustCompile(`(?m)^#?([A-Z][A-Za-z]+)=`).FindAllStringSubmatch(string(text), -1)
	if len(hints) < 18 {
		t.Errorf("only %d settings seen", len(hints))
	}
	for _, hint := range hints {
		if slices.Contains(forbidden, hint[1]) || hint[1] == "ExecStart" || hint[1] == "User" {
			t.Errorf("it sets %s", hint[1])
		}
	}
}

// namespaced is what the drop-in says must not be set.
func namespaced(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(dropIn)
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "# Do not set any of these:")
	list, _, ended := strings.Cut(list, ".\n")
	forbidden := regexp.MustCompile(`[A-Z][A-Za-z]+`).FindAllString(list, -1)
	if !found || !ended || len(forbidden) < 20 {
		t.Fatalf("it forbids %q", forbidden)
	}
	return forbidden
}

func settings(t *testing.T, path string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestServeUnit: the server's unit starts what it says, with a configuration that we
// ship, and has no mounts of its own either.
func TestServeUnit(t *testing.T) {
	t.Parallel()
	lines := settings(t, filepath.Join(unitDir, "understudy-serve.service"))
	for _, want := range []string{
		"ExecStart=/usr/bin/understudy serve /etc/swift/understudy-server.conf", "User=swift", "Type=notify", "WatchdogSec=60", "KillMode=mixed", "Restart=on-failure",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	for _, forbidden := range append(namespaced(t), "ExecReload", "RuntimeDirectory") {
		if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, forbidden+"=") }) {
			t.Errorf("it sets %s", forbidden)
		}
	}
	r := config.Inspect(filepath.Join(unitDir, "../examples/understudy-server.conf"), config.Options{Section: config.ServerSection, SwiftConf: swiftConf(t)})
	if len(r.Problems)+len(r.Unknown)+len(r.Config.Warnings) > 0 || r.Config.Server.PassTo != "127.0.0.1:6200" || r.Config.BindPort != 6210 {
		t.Errorf("the configuration: %v, %v, %v", r.Problems, r.Unknown, r.Config.Warnings)
	}
}

// TestFleetUnit: the agent's unit starts what it says, confined as the others are, and has
// no mounts of its own.
func TestFleetUnit(t *testing.T) {
	t.Parallel()
	lines := settings(t, filepath.Join(unitDir, "understudy-fleet.service"))
	for _, want := range []string{
		"ExecStart=/usr/bin/understudy-fleet agent", "ConditionFileNotEmpty=/etc/understudy/fleet.json", "User=swift", "Type=exec", "Restart=on-failure",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	for _, l := range settings(t, filepath.Join(unitDir, "understudy-serve.service")) {
		hardening := regexp.MustCompile(`^(NoNewPrivileges|Capability|Ambient|Memory|Lock|Restrict|SystemCall)`).MatchString(l)
		if hardening && !slices.Contains(lines, l) {
			t.Errorf("it lacks %s", l)
		}
	}
	for _, forbidden := range append(namespaced(t), "ExecReload", "RuntimeDirectory") {
		if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, forbidden+"=") }) {
			t.Errorf("it sets %s", forbidden)
		}
	}
}

func swiftConf(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "swift.conf")
	if err := os.WriteFile(path, []byte("[swift-hash]\nswift_hash_path_suffix = x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
