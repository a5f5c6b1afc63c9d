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
	unitDir   = "../../packaging/systemd"
	debianDir = "/lib/systemd/system"
)

// TestUnits: our units do all that Debian's do, with the same command line, and give
// the daemon no mounts of its own, not even with every hint of the hardening taken.
func TestUnits(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"swift-object-replicator.service", "swift-object-replicator@.service"} {
		ours, debian := settings(t, filepath.Join(unitDir, name)), settings(t, filepath.Join(debianDir, name))
		for _, line := range debian {
			if !strings.HasPrefix(line, "Description=") && !slices.Contains(ours, line) {
				t.Errorf("%s lacks Debian's %s", name, line)
			}
		}
		text, err := os.ReadFile(filepath.Join(unitDir, name))
		if err != nil {
			t.Fatal(err)
		}
		_, list, found := strings.Cut(string(text), "# Do not set any of these:")
		list, _, ended := strings.Cut(list, ".\n")
		forbidden := regexp.MustCompile(`[A-Z][A-Za-z]+`).FindAllString(list, -1)
		if !found || !ended || len(forbidden) < 20 {
			t.Fatalf("%s: it forbids %q", name, forbidden)
		}
		hints := regexp.MustCompile(`(?m)^#?([A-Z][A-Za-z]+)=`).FindAllStringSubmatch(string(text), -1)
		if len(hints) < 20 {
			t.Errorf("%s: only %d settings seen", name, len(hints))
		}
		for _, hint := range hints {
			if slices.Contains(forbidden, hint[1]) {
				t.Errorf("%s sets %s, which it forbids", name, hint[1])
			}
		}
		for _, want := range []string{"Type=notify", "WatchdogSec=60", "KillMode=mixed", "Restart=on-failure", "ExecReload=/bin/kill -HUP $MAINPID"} {
			if !slices.Contains(ours, want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
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
	text, err := os.ReadFile(filepath.Join(unitDir, "swift-object-replicator.service"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "# Do not set any of these:")
	list, _, _ = strings.Cut(list, ".\n")
	for _, forbidden := range append(regexp.MustCompile(`[A-Z][A-Za-z]+`).FindAllString(list, -1), "ExecReload", "RuntimeDirectory") {
		if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, forbidden+"=") }) {
			t.Errorf("it sets %s", forbidden)
		}
	}
	r := config.Inspect(filepath.Join(unitDir, "../understudy-server.conf"), config.Options{Section: config.ServerSection, SwiftConf: swiftConf(t)})
	if len(r.Problems)+len(r.Unknown)+len(r.Config.Warnings) > 0 || r.Config.Server.PassTo != "127.0.0.1:6200" || r.Config.BindPort != 6210 {
		t.Errorf("the configuration: %v, %v, %v", r.Problems, r.Unknown, r.Config.Warnings)
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
