package process

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
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
