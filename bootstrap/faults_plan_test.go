//go:build !nofaults

package bootstrap

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"understudy/config"
)

func TestReadFaults(t *testing.T) {
	good, bad := filepath.Join(t.TempDir(), "good"), filepath.Join(t.TempDir(), "bad")
	for path, text := range map[string]string{good: "seed 3\ndisk : hang nth=2\n", bad: "disk : hang\n\ndsk : hang\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, plan string
		allowed    bool
		wantErr    string
		faults     int // -1: no injector
	}{
		{"nothing", "", false, "", -1},
		{"allowed, none yet", "", true, "", 0},
		{"a plan", good, true, "", 1},
		{"not allowed", good, false, "faults_allowed is no in /etc/x.conf", -1},
		{"bad", bad, true, "bad: fault plan line 3: unknown place", -1},
		{"missing", good + "x", true, "no such file", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(FaultsEnv, test.plan)
			i, err := ReadFaults(&config.Config{Path: "/etc/x.conf", FaultsAllowed: test.allowed})
			if (err != nil) != (test.wantErr != "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Fatalf("got %v", err)
			}
			if (i == nil) != (test.faults < 0) || i != nil && len(i.Plan().Faults) != test.faults {
				t.Errorf("got %+v", i)
			}
		})
	}
}

// A replicator built with the tag nofaults has nothing of what makes faults happen. That
// it refuses plans is tested with the tag.
func TestBuiltWithoutFaults(t *testing.T) {
	program := filepath.Join(t.TempDir(), "swift-object-replicator")
	build := exec.Command("go", "build", "-tags", "nofaults", "-o", program, "understudy/cmd/swift-object-replicator")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	names, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fault/disk.", "fault/network.(", "fault/rsync.", "fault/failpoint."} {
		if strings.Contains(string(names), "understudy/internal/"+name) {
			t.Errorf("there is something of %s in it", name)
		}
	}
}
