package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"understudy/internal/cluster"
)

// pushRig is the cluster of a push, and the tree that every run begins with.
type pushRig struct {
	push
	c     *cluster.Cluster
	from  *cluster.Node
	kept  string                    // copies of the devices as they are before a run
	want  map[int]map[string]string // node → its files after the first run
	files int
	bytes int64
}

func objects(n *cluster.Node) string { return n.ObjectsPath(n.Devices[0], 0) }

// keep makes the tree from which every run begins. Fill: the second node is empty.
// Drain: the first node holds, alone, the partitions that are not its own.
func (g *pushRig) keep(ctx context.Context) error {
	g.kept = filepath.Join(g.c.Root, "kept")
	second := objects(g.c.Nodes[1])
	if g.drain {
		own, err := partitions(objects(g.from))
		if err != nil {
			return err
		}
		theirs, err := partitions(second)
		if err != nil {
			return err
		}
		if err := clearDir(objects(g.from)); err != nil {
			return err
		}
		for _, p := range theirs {
			if slices.Contains(own, p) {
				continue
			}
			if err := sh(ctx, `cp -a "$0" "$1"`, filepath.Join(second, p), objects(g.from)); err != nil {
				return err
			}
		}
		for _, n := range g.c.Nodes[1:] {
			if err := clearDir(objects(n)); err != nil {
				return err
			}
		}
	} else if err := clearDir(second); err != nil {
		return err
	}
	return sh(ctx, `mkdir "$1" && cp -a "$0" "$1/from"`, objects(g.from), g.kept)
}

// reset undoes a run.
func (g *pushRig) reset(ctx context.Context) error {
	if !g.drain {
		return clearDir(objects(g.c.Nodes[1]))
	}
	for _, n := range g.c.Nodes {
		if err := clearDir(objects(n)); err != nil {
			return err
		}
	}
	return sh(ctx, `cp -a "$0/from/." "$1"`, g.kept, objects(g.from))
}

// once puts the tree in place, runs one side and looks at what it has brought.
func (g *pushRig) once(ctx context.Context, s side, under []string) (sample, error) {
	if err := g.reset(ctx); err != nil {
		return sample{}, err
	}
	if s.name == copying {
		return g.copy(ctx)
	}
	if _, err := g.c.ServeWith(ctx, s.peers); err != nil {
		return sample{}, err
	}
	if err := g.from.WriteConf(s.options); err != nil {
		return sample{}, err
	}
	run, err := g.from.OnceUnder(ctx, under, s.program)
	if err != nil {
		return sample{}, err
	}
	if run.Code != 0 || run.Output != "" {
		return sample{}, fmt.Errorf("ended with status %d: %s", run.Code, run.Output)
	}
	return sample{run.Wall, run.User, run.System}, g.check()
}

// check demands that every side brings the same files to the same places, and in a
// drain leaves nothing behind.
func (g *pushRig) check() error {
	if g.drain {
		if left, err := partitions(objects(g.from)); err != nil || len(left) > 0 {
			return fmt.Errorf("partitions %v were left behind (%w)", left, err)
		}
	}
	g.files, g.bytes = 0, 0
	for _, n := range g.c.Nodes[1:] {
		files, err := bodies(objects(n))
		if err != nil {
			return err
		}
		if g.want[n.Number] == nil {
			g.want[n.Number] = files
		} else if !maps.Equal(g.want[n.Number], files) {
			return fmt.Errorf("node %d has other files than after the first run: %d, not %d", n.Number, len(files), len(g.want[n.Number]))
		}
		if g.drain || n == g.c.Nodes[1] {
			g.files += len(files)
			g.bytes += int64(len(files)) * int64(g.size)
		}
	}
	if g.files == 0 {
		return errors.New("nothing was pushed")
	}
	return nil
}

// copy is cp -a of the partitions that a fill brings to the second node.
func (g *pushRig) copy(ctx context.Context) (sample, error) {
	var shared []string
	for path := range g.want[2] {
		dir := filepath.Join(objects(g.from), filepath.Dir(path))
		shared = append(shared, dir)
	}
	if len(shared) == 0 {
		return sample{}, nil // before the first run; that round does not count
	}
	slices.Sort(shared)
	target, err := os.MkdirTemp(g.c.Root, "copy-")
	if err != nil {
		return sample{}, err
	}
	defer os.RemoveAll(target)
	cmd := exec.CommandContext(ctx, "cp", append([]string{"-a", "-t", target}, slices.Compact(shared)...)...)
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return sample{}, fmt.Errorf("%w: %s", err, out)
	}
	return sample{time.Since(begun), cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime()}, nil
}
