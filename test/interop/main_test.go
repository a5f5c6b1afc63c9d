package interop

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

func TestMain(m *testing.M) {
	if missing := missingTools(); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "interop tests cannot run, missing: %s\nRun `make test` as root: it installs what they need (test/install.sh).\n",
			strings.Join(missing, ", "))
		os.Exit(1)
	}
	code := m.Run()
	if f, err := forker(); err == nil {
		f.Close()
	}
	os.RemoveAll(buildDir)
	os.Exit(code)
}

func missingTools() []string {
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root (private mounts, dropping privileges)")
	}
	for _, tool := range []string{
		"/usr/bin/swift-object-replicator", "/usr/bin/swift-object-server", "/usr/bin/swift-recon",
		"/usr/bin/python3", "/usr/bin/rsync", "unshare",
	} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if _, err := user.Lookup(cluster.User); err != nil {
		missing = append(missing, "user "+cluster.User)
	}
	return missing
}

var (
	buildDir string
	build    = sync.OnceValues(func() (cluster.Program, error) {
		var err error
		if buildDir, err = os.MkdirTemp("", "understudy-bin-"); err != nil {
			return cluster.Program{}, err
		}
		if err := os.Chmod(buildDir, 0o755); err != nil {
			return cluster.Program{}, err
		}
		return cluster.Ours(context.Background(), buildDir, true)
	})
)

// ours is the program under test.
func ours(t *testing.T) cluster.Program {
	t.Helper()
	p, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var buildServer = sync.OnceValues(func() (cluster.Server, error) {
	if _, err := build(); err != nil { // which makes the folder
		return cluster.Server{}, err
	}
	return cluster.OurServer(context.Background(), buildDir, true)
})

// ourServer is our own object server.
func ourServer(t *testing.T) cluster.Server {
	t.Helper()
	s, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deadline bounds one test.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// forker starts the programs of all clusters in milliseconds: Swift is imported once.
var forker = sync.OnceValues(cluster.StartForker)

// newCluster makes a cluster that ends with the test. After a failure its folder
// stays, and the end of each replicator's log is shown.
func newCluster(t *testing.T, ctx context.Context, spec cluster.Spec) *cluster.Cluster {
	t.Helper()
	var err error
	if spec.Forker, err = forker(); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.New(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, c)
	return c
}

func endWith(t *testing.T, c *cluster.Cluster) {
	t.Cleanup(func() {
		if !t.Failed() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			return
		}
		for _, n := range c.Nodes {
			lines, err := n.Log.Lines("object-replicator")
			if err != nil {
				t.Log(err)
			}
			var end strings.Builder
			for _, line := range lines[max(0, len(lines)-25):] {
				fmt.Fprintf(&end, "\n%.300s", line)
			}
			t.Logf("replicator of node %d, last lines:%s", n.Number, &end)
		}
		c.CloseAndKeep()
		t.Logf("kept %s", c.Root)
	})
}

func copyOf(t *testing.T, ctx context.Context, c *cluster.Cluster) *cluster.Cluster {
	t.Helper()
	twin, err := c.Copy(ctx)
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, twin)
	return twin
}

func start(t *testing.T, ctx context.Context, c *cluster.Cluster, nodes ...*cluster.Node) {
	t.Helper()
	if err := c.Start(ctx, nodes...); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, ctx context.Context, c *cluster.Cluster, h *cluster.History, ops []cluster.Op, missing ...cluster.Device) []cluster.Landed {
	t.Helper()
	landed, err := c.Write(ctx, h, ops, missing...)
	if err != nil {
		t.Fatal(err)
	}
	return landed
}

// pass runs one pass on one node, which must end well and print nothing: stock
// tools read a daemon's output as an error.
func pass(t *testing.T, ctx context.Context, n *cluster.Node, p cluster.Program) (*cluster.Run, *cluster.Recon) {
	t.Helper()
	before := time.Now()
	run, err := n.Once(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if run.Code != 0 || run.Output != "" {
		t.Fatalf("%s on node %d: exit status %d, output %q", p.Name, n.Number, run.Code, run.Output)
	}
	r, err := n.ReconFile()
	if err != nil {
		t.Fatal(err)
	}
	if r.Stats == nil || r.Last == nil || *r.Last < float64(before.UnixMicro())/1e6 {
		t.Fatalf("%s on node %d: the pass is not in the recon cache: %+v", p.Name, n.Number, r)
	}
	return run, r
}

// passEverywhere runs a pass on all nodes at once.
func passEverywhere(t *testing.T, ctx context.Context, c *cluster.Cluster, p cluster.Program) {
	t.Helper()
	var all sync.WaitGroup
	codes := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		all.Go(func() {
			run, err := n.Once(ctx, p)
			if err != nil {
				codes[i] = err.Error()
			} else if run.Code != 0 || run.Output != "" {
				codes[i] = fmt.Sprintf("exit status %d, output %q", run.Code, run.Output)
			}
		})
	}
	all.Wait()
	for i, why := range codes {
		if why != "" {
			t.Fatalf("%s on node %d: %s", p.Name, i+1, why)
		}
	}
}

// wantSettled demands that the cluster is whole by Swift's own reading: nothing of
// the history lost, copies and hashes equal everywhere.
func wantSettled(t *testing.T, ctx context.Context, c *cluster.Cluster, h *cluster.History) []cluster.Copy {
	t.Helper()
	copies, err := c.Scan(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := c.CheckCopies(ctx, copies)
	if err != nil {
		t.Fatal(err)
	}
	lost, err := c.CheckObjects(ctx, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range append(wrong, lost...) {
		t.Error(why)
	}
	return copies
}
