package stage

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/lab"
	"understudy/internal/process"
	"understudy/internal/scenario"
)

var all = flag.Bool("all", false, "run every scenario of the library, not a handful")

func TestMain(m *testing.M) {
	process.SmallRegistry()
	if len(os.Args) == 4 && os.Args[1] == "node" { // a node that is a process of its own
		i, err := lab.NewInside(os.Args[2], os.Args[3], os.Stdout)
		if err == nil {
			err = i.Serve(context.Background(), &forgetful{File: os.Stdin})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// handful are the scenarios that are run each time.
var handful = []string{"disk-hangs", "kill-9", "late-tombstone", "power-cut", "put-during-revert", "truncated-twin", "two-rings"}

// Every scenario of the library holds; and it could fail: when one copy of its end state
// is taken away, spoiled, brought to a wrong place, or brought back to life, the verdict
// says so.
func TestLibrary(t *testing.T) {
	library := scenario.Library()
	if len(library) < 20 {
		t.Fatalf("only %d scenarios can be read", len(library))
	}
	for _, s := range library {
		if !*all && !slices.Contains(handful, s.Name) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			dir := t.TempDir()
			o := Options{Dir: dir, Seed: 1}
			if NeedsProcesses(s) {
				o.Process = ourselves(t)
			}
			r := play(t, s, o)
			if !r.Held() {
				tell(t, r)
				t.Fatal("it does not hold")
			}
			t.Logf("%.1f s, faults %v", r.Elapsed.Seconds(), r.Coverage)
			canFail(t, r.world, dir)
		})
	}
}

func ourselves(t *testing.T) []string {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	return []string{program, "node"}
}

func play(t *testing.T, s *scenario.Scenario, o Options) *Result {
	t.Helper()
	r, err := Run(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tell(t *testing.T, r *Result) {
	t.Helper()
	for _, e := range r.Events {
		t.Logf("%8.3f %-4s %s", e.At.Seconds(), e.Node, e.What)
	}
	for _, c := range r.Checks {
		if !c.Held {
			t.Errorf("%s: got %d", c.Expect, c.Got)
		}
	}
	for _, p := range r.Problems {
		t.Log(p)
	}
}

// copyTo copies a file with its metadata.
func copyTo(t *testing.T, from, to string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(to), 0o755))
	out, err := exec.Command("cp", "--preserve=all", from, to).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// astray brings a copy to a device that is no primary.
func astray(t *testing.T, w *lab.World, root string, o *lab.WorldObject, from string) {
	t.Helper()
	before := found(t, w, root)
	for _, s := range w.Spots() {
		to := filepath.Join(s.Path(root), o.Dir(), filepath.Base(from))
		if !o.Handoff(s) || there(filepath.Dir(to)) {
			continue
		}
		copyTo(t, from, to)
		expectMore(t, before, found(t, w, root), lab.Left)
		must(t, os.Remove(to))
		return
	}
}

// canFail spoils the end state in each way, one after the other on the same disks.
func canFail(t *testing.T, w *lab.World, root string) {
	t.Helper()
	before := found(t, w, root)
	for _, o := range w.Objects {
		if o.Want.Data == "" || o.Loose {
			continue
		}
		paths, err := filepath.Glob(filepath.Join(root, "srv", "*", "*", escape(o.Dir()), o.Want.Data+".data"))
		must(t, err)
		size := o.Files[o.Want.Data+".data"].Size
		paths = slices.DeleteFunc(paths, func(p string) bool {
			info, err := os.Stat(p)
			return err != nil || info.Size() != size
		})
		if len(paths) == 0 || size < 10 {
			continue
		}
		astray(t, w, root, o, paths[0])
		must(t, os.Truncate(paths[0], 3))
		expectMore(t, before, found(t, w, root), lab.Wrong)
		must(t, os.Remove(paths[0]))
		if len(paths) > 1 { // else it was on a handoff, and missing is what was missing
			expectMore(t, before, found(t, w, root), lab.Short)
		}
		for _, p := range paths[1:] { // of all that are whole
			must(t, os.Remove(p))
		}
		expectMore(t, before, found(t, w, root), lab.Lost)
		return
	}
	t.Log("no whole object to be spoiled")
}

func escape(path string) string { return strings.NewReplacer("[", "\\[", "*", "\\*").Replace(path) }

func found(t *testing.T, w *lab.World, root string) map[lab.Kind]int {
	t.Helper()
	all, err := w.Judge(root)
	must(t, err)
	n := map[lab.Kind]int{}
	for _, f := range all {
		n[f.Kind]++
	}
	return n
}

func expectMore(t *testing.T, before, now map[lab.Kind]int, kind lab.Kind) {
	t.Helper()
	if now[kind] <= before[kind] {
		t.Errorf("%s is not seen: %v, before %v", kind, now, before)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small is a cluster in which little happens.
const small = "title t\n[cluster]\nnodes 2\ndevices 2\nreplicas 2\npart-power 2\n[data]\nobjects 4\n"

func parsed(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse(text)
	must(t, err)
	return s
}

// breaks runs a scenario and demands that exactly these expectations are broken.
func breaks(t *testing.T, s *scenario.Scenario, o Options, what ...string) *Result {
	t.Helper()
	o.Dir, o.Seed = t.TempDir(), 1
	r := play(t, s, o)
	var got []string
	for _, c := range r.Checks {
		if !c.Held {
			got = append(got, c.Expect.What)
		}
	}
	if !slices.Equal(got, what) {
		tell(t, r)
		t.Fatalf("broken: %v, want %v", got, what)
	}
	return r
}

// What is stuck, and what is left behind, is seen.
func TestStuckAndLeaked(t *testing.T) {
	breaks(t, parsed(t, small+"[steps]\nawait log \"never said\" within 50ms\npass"), Options{}, "stuck")
	end := make(chan struct{})
	breaks(t, parsed(t, small+"[steps]\npass"), Options{Linger: time.Second, Spoil: func() { go func() { <-end }() }}, "leaked")
	close(end)
	var fd int
	breaks(t, parsed(t, small+"[steps]\npass"), Options{Linger: time.Second, Spoil: func() { fd, _ = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) }}, "leaked")
	must(t, unix.Close(fd))
	child := exec.Command("sleep", "1000")
	r := breaks(t, parsed(t, small+"[steps]\npass"), Options{Linger: time.Second, Spoil: func() { must(t, child.Start()) }}, "leaked")
	if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, "child process") }) {
		t.Errorf("told %q", r.Problems)
	}
	must(t, child.Process.Kill())
	_ = child.Wait() // killed
}

// A pass that does not end within its bound is stuck, and is ended.
func TestPassThatHangs(t *testing.T) {
	breaks(t, parsed(t, small+"[faults]\ndisk node=n1 op=readdir|opendir : hang\n[steps]\npass within 300ms\nfaults clear\npass"), Options{}, "stuck")
}

// Disks that lie are what no replicator can see: they take half of a file and say that
// all is written, or say that it is durable when it is not. Then something is lost, and
// the verdict tells it. This is the proof that "lost 0" means something.
func TestLiesAreTold(t *testing.T) {
	const away = "title t\n[cluster]\nnodes 4\ndevices 1\nreplicas 3\npart-power 2\nweight n1/* 0\n[data]\nobjects 6 size 8k: put 2h on 1 handoff\n"
	lost := func(text string) {
		t.Helper()
		r := play(t, parsed(t, text), Options{Dir: t.TempDir(), Seed: 1})
		if r.counts["lost"] == 0 || r.Held() {
			tell(t, r)
			t.Errorf("nothing is lost")
		}
	}
	lost(away + "[faults]\ndisk op=write path=*.data : torn\ndisk node=n2|n3|n4 op=write : torn\n[steps]\npass n1\nfaults clear\nsettle in 2 passes")
	lost(away + "[faults]\ndisk op=sync|syncdata|syncdir : lie\n[steps]\npass n1\npower-cut n2|n3|n4\nrevive\nfaults clear\nsettle in 2 passes")
}

// What fails is made smaller while it fails.
func TestShrink(t *testing.T) {
	s := parsed(t, small+"objects 8: delete 1h on primaries\n[workload]\nput 4 every 1ms\n[faults]\ndisk node=n1 : delay 1ms\ndisk node=n2 : hang\n"+
		"[steps]\npass\nkill n1\nrevive\nfreeze n2\nput 3\n[expect]\ncoverage disk-delay")
	tried := 0
	smaller := Shrink(t.Context(), s, 200, func(_ context.Context, s *scenario.Scenario) bool {
		tried++
		faulty := slices.ContainsFunc(s.Faults, func(f scenario.Faults) bool { return strings.Contains(f.Text, "hang") })
		return faulty && slices.ContainsFunc(s.Steps, func(s scenario.Step) bool { return s.Verb == "freeze" })
	})
	if len(smaller.Data) != 0 || len(smaller.Workload) != 0 || len(smaller.Steps) != 2 || smaller.Faults[0].Text != "disk node=n2 : hang\n" {
		t.Errorf("after %d runs:\n%s", tried, smaller)
	}
	if n := len(Shrink(t.Context(), s, 0, nil).Steps); n != 5 {
		t.Errorf("%d steps without a run", n)
	}
	r := &Result{Checks: []Check{{Expect: scenario.Expect{What: "lost"}}, {Expect: scenario.Expect{What: "coverage", Of: "disk-delay"}}}}
	if b := r.Blamed(); len(b) != 1 || !b["lost"] || !r.Fails(b) || len(Only(s, b).Expect) != 0 {
		t.Errorf("blamed %v, %v", b, Only(s, b).Expect)
	}
}

// The same holds when each node is a process that is really killed and stopped.
func TestProcesses(t *testing.T) {
	for _, name := range []string{"kill-9", "half-open", "power-cut"} {
		s, err := scenario.Named(name)
		must(t, err)
		if r := play(t, s, Options{Dir: t.TempDir(), Seed: 1, Process: ourselves(t)}); !r.Held() {
			tell(t, r)
			t.Errorf("%s does not hold", name)
		}
	}
	if _, err := Run(t.Context(), parsed(t, small+"[faults]\nprocess op=remove : kill nth=1\n[steps]\npass"), Options{Dir: t.TempDir()}); err == nil {
		t.Error("a fault that kills the process is taken where all nodes are in one")
	}
}
