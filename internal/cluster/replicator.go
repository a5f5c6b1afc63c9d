package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Program is a replicator that can be run on a node.
type Program struct {
	Name string // for messages
	Path string
}

// Stock is Swift's own replicator.
var Stock = Program{"stock", "/usr/bin/swift-object-replicator"}

// Run is one finished run of a replicator.
type Run struct {
	Code   int // exit status
	Output string
	Log    []string // its lines at the node's log_address
	Wall   time.Duration
	User   time.Duration // with all children that it waited for
	System time.Duration
}

// Once runs one pass on a node with Swift's command line. An exit status other
// than zero is in the Run, not an error.
func (n *Node) Once(ctx context.Context, p Program, args ...string) (*Run, error) {
	return n.OnceUnder(ctx, nil, p, args...)
}

// OnceUnder is Once by way of another program, as strace or perf: its words come
// before the replicator's. The times of the Run include it.
func (n *Node) OnceUnder(ctx context.Context, under []string, p Program, args ...string) (*Run, error) {
	argv := append(slices.Clone(under), p.Path, n.ConfPath(), "--once")
	argv = append(argv, args...)
	before, err := n.Log.Lines("object-replicator")
	if err != nil {
		return nil, err
	}
	start := time.Now()
	var run *Run
	if n.cluster.spec.Forker != nil && len(under) == 0 {
		run, err = n.cluster.onceForked(ctx, argv)
	} else {
		run, err = n.cluster.onceExecuted(ctx, argv)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("run %s on node %d: %w", p.Name, n.Number, err)
	}
	run.Wall = time.Since(start)
	after, err := n.Log.Lines("object-replicator")
	if err != nil {
		return nil, err
	}
	run.Log = after[len(before):]
	return run, nil
}

func (c *Cluster) onceExecuted(ctx context.Context, argv []string) (*Run, error) {
	var out bytes.Buffer
	cmd := c.command(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	s := cmd.ProcessState
	return &Run{Code: s.ExitCode(), Output: out.String(), User: s.UserTime(), System: s.SystemTime()}, nil
}

func (c *Cluster) onceForked(ctx context.Context, argv []string) (*Run, error) {
	f, out, err := c.forkOnce(ctx, argv)
	if err != nil {
		return nil, err
	}
	return &Run{Code: max(f.Status, -1), Output: out, User: f.User, System: f.System}, nil
}

// Logged returns the lines that contain the text.
func (r *Run) Logged(text string) []string {
	var found []string
	for _, line := range r.Log {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// Ours is our replicator: the program that UNDERSTUDY_BIN names, or else one that
// is built into dir from this module, with the race detector if asked and with build
// tags.
func Ours(ctx context.Context, dir string, race bool, tags ...string) (Program, error) {
	if path := os.Getenv("UNDERSTUDY_BIN"); path != "" {
		return Program{"ours", path}, nil
	}
	path, err := build(ctx, dir, "swift-object-replicator", race, tags...)
	return Program{"ours", path}, err
}

// build builds one of our commands into a folder.
func build(ctx context.Context, dir, command string, race bool, tags ...string) (path string, err error) {
	path = filepath.Join(dir, command)
	args := []string{"build", "-tags", strings.Join(tags, ","), "-o", path}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "understudy/cmd/"+command)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build our %s: %w: %s", command, err, out)
	}
	return path, nil
}
