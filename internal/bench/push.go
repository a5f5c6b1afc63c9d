package main

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"understudy/internal/cluster"
)

// push is a benchmark in which bytes move: from the first of four nodes with one
// device each, the others running Swift's object servers and rsync daemons. Before
// every run the same tree is put in place.
type push struct {
	name, what string
	partPower  int
	objects    int // in each partition
	size       int // bytes of each
	drain      bool
	contests   []contest
}

// contest compares ours with one other program.
type contest struct {
	against string // name of a lane
	goal    float64
}

// lane is a program with the method that it uses.
type lane struct {
	name    string
	program cluster.Program
	method  string // sync_method; empty: cp -a of the same bytes
}

func pushes(smoke bool) []push {
	small := []contest{{"Swift, ssync", 0.5}, {"Swift, rsync", 0.15}}
	b4 := push{
		name: "B4", what: "fill an empty disk, 4 KiB objects: 128 partitions with 8 each",
		partPower: 8, objects: 8, size: 4096, contests: small,
	}
	b6 := push{
		name: "B6", what: "fill an empty disk, objects of 64 MiB: 8 partitions with 1 each",
		partPower: 4, objects: 1, size: 64 << 20, contests: []contest{{"Swift, ssync", 0.5}, {"Swift, rsync", 0}, {"cp -a", 1.5}},
	}
	b7 := push{
		name: "B7", what: "drain handoffs, 4 KiB objects: 64 partitions with 8 each to three primaries",
		partPower: 8, objects: 8, size: 4096, drain: true, contests: small,
	}
	if smoke {
		for _, b := range []*push{&b4, &b6, &b7} {
			b.what, b.partPower = "smoke test of "+b.name, 4
			b.objects, b.size = 1, min(b.size, 1<<20)
		}
	}
	return []push{b4, b6, b7}
}

// pushResult has as many samples of each lane; those of one index are neighbours.
type pushResult struct {
	push
	lanes   []lane
	samples map[string][]sample
	files   int   // that every run has brought to the other nodes
	bytes   int64 // of them
}

func (b push) entry(ctx context.Context, o options, ours cluster.Program) (entry, error) {
	r, err := b.measure(ctx, o, ours)
	if err != nil {
		return entry{}, err
	}
	own := r.samples["ours, ssync"]
	e := entry{Table: "bytes", Samples: map[string][]float64{}}
	for _, c := range b.contests {
		p := pairs{theirs: r.samples[c.against], ours: own}
		e.Rows = append(e.Rows, []string{
			b.what, c.against, seconds(p.theirs, wall), seconds(own, wall), p.ratio(wall), p.atMost(c.goal, wall),
			seconds(p.theirs, sample.cpu), seconds(own, sample.cpu), p.ratio(sample.cpu),
		})
		if c.goal > 0 {
			e.Goals = append(e.Goals, p.goal("wall, against "+c.against, c.goal, wall))
		}
	}
	for lane, samples := range r.samples {
		e.Samples[lane+", wall"], e.Samples[lane+", CPU"] = inSeconds(samples, wall), inSeconds(samples, sample.cpu)
	}
	best := slices.MinFunc(own, func(a, b sample) int { return int(a.wall - b.wall) })
	e.Below = []string{fmt.Sprintf("%s moves %d files, %.1f MiB; ours at best %.0f files and %.1f MiB a second.", b.name, r.files,
		float64(r.bytes)/(1<<20), float64(r.files)/best.wall.Seconds(), float64(r.bytes)/(1<<20)/best.wall.Seconds())}
	return e, nil
}

func (b push) measure(ctx context.Context, o options, ours cluster.Program) (_ pushResult, err error) {
	c, err := cluster.New(ctx, cluster.Spec{
		Base: o.base, Nodes: 4, Devices: 1,
		Policies:   []cluster.Policy{{Index: 0, Name: "gold", PartPower: b.partPower}},
		Replicator: map[string]string{"log_level": "INFO"},
	})
	if err != nil {
		return pushResult{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Fill(ctx, b.objects, b.size, time.Now().Add(-48*time.Hour)); err != nil {
		return pushResult{}, err
	}
	r := pushResult{push: b, lanes: b.lanes(ours), samples: map[string][]sample{}}
	rig := pushRig{push: b, c: c, from: c.Nodes[0], want: map[int]map[string]string{}}
	if err := rig.keep(ctx); err != nil {
		return pushResult{}, err
	}
	if err := c.Start(ctx); err != nil {
		return pushResult{}, err
	}
	for i := range min(o.runs, 5) + 1 { // the first round only warms up
		slices.Reverse(r.lanes)
		for _, l := range r.lanes {
			s, err := rig.once(ctx, l)
			if err != nil {
				return pushResult{}, fmt.Errorf("%s: %w", l.name, err)
			}
			say("%s: run %d, %s: wall %.2f s, CPU %.2f s", b.name, i, l.name, s.wall.Seconds(), s.cpu().Seconds())
			if i > 0 {
				r.samples[l.name] = append(r.samples[l.name], s)
			}
		}
	}
	r.files, r.bytes = rig.files, rig.bytes
	return r, nil
}

func (b push) lanes(ours cluster.Program) []lane {
	all := []lane{{"ours, ssync", ours, "ssync"}}
	for _, c := range b.contests {
		switch c.against {
		case "Swift, ssync":
			all = append(all, lane{c.against, cluster.Stock, "ssync"})
		case "Swift, rsync":
			all = append(all, lane{c.against, cluster.Stock, "rsync"})
		default:
			all = append(all, lane{name: c.against})
		}
	}
	return all
}

// pushRig puts the tree in place, runs one lane and looks at what has become of it.
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

func (g *pushRig) once(ctx context.Context, l lane) (sample, error) {
	if err := g.reset(ctx); err != nil {
		return sample{}, err
	}
	if l.method == "" {
		return g.copy(ctx)
	}
	if err := g.from.WriteConf(map[string]string{"sync_method": l.method}); err != nil {
		return sample{}, err
	}
	run, err := g.from.Once(ctx, l.program)
	if err != nil {
		return sample{}, err
	}
	if run.Code != 0 || run.Output != "" {
		return sample{}, fmt.Errorf("ended with status %d: %s", run.Code, run.Output)
	}
	return sample{run.Wall, run.User, run.System}, g.check()
}

// check demands that every lane brings the same files to the same places, and in a
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

// bodies are the data files below a directory, by path, with the md5 of each body.
// (Metadata is the same too, but every writer pickles it in an order of its own.)
func bodies(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".data" {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files[rel] = fmt.Sprintf("%x", md5.Sum(body))
		return err
	})
	return files, err
}

// partitions are the numbers in an objects directory.
func partitions(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func sh(ctx context.Context, script string, args ...string) error {
	out, err := exec.CommandContext(ctx, "sh", append([]string{"-ec", script}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return nil
}
