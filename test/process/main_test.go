package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// patience is how long anything may take that is not what a test is about.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if missing := missingTools(); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "these tests cannot run, missing: %s\nRun `make test` as root: it installs what they need (test/install.sh).\n",
			strings.Join(missing, ", "))
		os.Exit(1)
	}
	os.Exit(run(m))
}

// scratch is where the clusters and the program under test are.
var scratch string

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "understudy-process-"); err == nil {
		err = os.Chmod(scratch, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

func missingTools() (missing []string) {
	if os.Geteuid() != 0 {
		missing = append(missing, "root (private mounts, dropping privileges)")
	}
	for _, tool := range []string{"/usr/bin/python3", "/usr/bin/rsync", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if _, err := user.Lookup(cluster.User); err != nil {
		missing = append(missing, "user "+cluster.User)
	}
	return missing
}

// build makes the program without the race detector: swift-init limits the memory
// of what it starts to less than that detector maps.
var build = sync.OnceValues(func() (string, error) {
	p, err := cluster.Ours(context.Background(), scratch, false)
	return p.Path, err
})

// program is the path of the program under test.
func program(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// within is a context that ends in patience.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await polls until the condition holds; what it returns otherwise is why not.
func await(t *testing.T, limit time.Duration, condition func() (why string)) {
	t.Helper()
	why := ""
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if why = condition(); why == "" {
			return
		}
	}
	t.Fatalf("after %s: %s", limit, why)
}
