package package_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The packages under test: ours, as packaging/build.sh builds it; Debian's swift-object
// as it is installed here; and a later version of that, whose program says so.
var ourDeb, ourRPM, stockDeb, newerStockDeb string

func TestMain(m *testing.M) {
	if missing := missingTools(); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "these tests cannot run, missing: %s\nRun `make test` as root: it installs what they need (test/install.sh).\n",
			strings.Join(missing, ", "))
		os.Exit(1)
	}
	os.Exit(run(m))
}

func missingTools() (missing []string) {
	if os.Geteuid() != 0 {
		missing = append(missing, "root (a root of its own)")
	}
	for _, tool := range []string{"unshare", "nsenter", "dpkg-deb", "dpkg-divert", "rpm", "systemd-analyze", "/usr/bin/swift-object-replicator"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if err := exec.Command("/usr/bin/python3", "-c", "import seccomp").Run(); err != nil {
		missing = append(missing, "python3-seccomp")
	}
	return missing
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "understudy-package-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := buildAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func buildAll(dir string) error {
	for _, args := range [][]string{
		{"../../packaging/build.sh", dir},
		{"testdata/repack.sh", "swift-object", dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
	}
	for pattern, path := range map[string]*string{
		"understudy_*.deb": &ourDeb, "understudy-*.rpm": &ourRPM, "stock.deb": &stockDeb, "newer.deb": &newerStockDeb,
	} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("find %s: %q, %w", pattern, found, err)
		}
		*path = found[0]
	}
	return nil
}
