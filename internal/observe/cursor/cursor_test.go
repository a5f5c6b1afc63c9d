package cursor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"understudy/actors"
	"understudy/messages"
)

var _ actors.Cursors = (*Dir)(nil)

// sample is a cursor in which nothing is zero.
func sample() messages.Cursor {
	return messages.Cursor{
		Begun: time.Date(2026, 8, 7, 6, 5, 4, 3, time.UTC), Seed: 1, Cycle: 2, Reached: 1<<64 - 1, Jobs: 4, Done: 3,
		Stats: messages.Stats{
			Counts: messages.Counts{
				Attempted: 1, Failure: 2, HashMatch: 3, Remove: 4, Rsync: 5, Success: 6, SuffixCount: 7, SuffixHash: 8, SuffixSync: 9,
			},
			FailureNodes: messages.FailureNodes{"10.0.0.1": {"sdb": 2, "sdc": 1}, "fd00::1": {"d<&>\u2028": 1}},
		},
	}
}

func load(t testing.TB, d *Dir, device string) *messages.Cursor {
	t.Helper()
	c, err := d.Load(context.Background(), device)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func save(t testing.TB, d *Dir, device string, c messages.Cursor) {
	t.Helper()
	if err := d.Save(context.Background(), device, c); err != nil {
		t.Fatal(err)
	}
}

func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// Two devices have two cursors; each is replaced and cleared alone.
func TestLifeOfACursor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "understudy")
	d := New(dir + "/")
	if c := load(t, d, "sda"); c != nil {
		t.Errorf("without a folder: %+v", c)
	}
	if err := d.Clear(context.Background(), "sda"); err != nil {
		t.Error(err)
	}
	one, two := sample(), sample()
	two.Seed = 99
	save(t, d, "sda", one)
	save(t, d, "sdb", one)
	save(t, d, "sdb", two)
	for name, mode := range map[string]fs.FileMode{"": 0o755 | fs.ModeDir, "sda.json": 0o600, "sdb.json": 0o600} {
		if i, err := os.Stat(filepath.Join(dir, name)); err != nil || i.Mode() != mode {
			t.Errorf("%q: %v, %v", name, i.Mode(), err)
		}
	}
	later := New(dir)
	for device, want := range map[string]messages.Cursor{"sda": one, "sdb": two} {
		if got := load(t, later, device); got == nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, want %+v", device, got, want)
		}
	}
	for range 2 {
		if err := later.Clear(context.Background(), "sda"); err != nil {
			t.Error(err)
		}
	}
	if load(t, d, "sda") != nil || load(t, d, "sdb") == nil {
		t.Error("the wrong one was cleared")
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left %v", got)
	}
}

// What is saved is what is loaded.
func TestRoundTrip(t *testing.T) {
	d := New(t.TempDir())
	small := rapid.IntRange(0, 1<<40)
	nodes := rapid.MapOf(rapid.String(), rapid.MapOf(rapid.String(), small))
	rapid.Check(t, func(rt *rapid.T) {
		want := messages.Cursor{
			Begun:   time.Unix(rapid.Int64Range(0, 1<<34).Draw(rt, "s"), rapid.Int64Range(0, 1e9-1).Draw(rt, "ns")),
			Seed:    rapid.Uint32().Draw(rt, "seed"),
			Cycle:   rapid.IntRange(0, 9).Draw(rt, "cycle"),
			Reached: rapid.Uint64().Draw(rt, "reached"),
			Jobs:    small.Draw(rt, "jobs"),
			Done:    small.Draw(rt, "done"),
		}
		want.Stats.Attempted, want.Stats.SuffixSync = small.Draw(rt, "attempted"), small.Draw(rt, "suffix sync")
		for ip, devices := range nodes.Draw(rt, "nodes") {
			if want.Stats.FailureNodes == nil {
				want.Stats.FailureNodes = messages.FailureNodes{}
			}
			want.Stats.FailureNodes[ip] = devices
		}
		save(t, d, "sda", want)
		got := load(t, d, "sda")
		if !got.Begun.Equal(want.Begun) {
			rt.Fatalf("begun %v, want %v", got.Begun, want.Begun)
		}
		got.Begun = want.Begun
		if !reflect.DeepEqual(*got, want) {
			rt.Fatalf("%+v, want %+v", *got, want)
		}
	})
}

func TestNamesThatAreNoDevices(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "understudy")
	d, ctx := New(dir), context.Background()
	for _, device := range []string{"", ".", "..", ".sda", "../sda", "a/b", "/", "sd\x00a"} {
		if err := d.Save(ctx, device, sample()); err == nil {
			t.Errorf("%q is saved", device)
		}
		if c, err := d.Load(ctx, device); err == nil || c != nil {
			t.Errorf("%q is loaded", device)
		}
		if err := d.Clear(ctx, device); err == nil {
			t.Errorf("%q is cleared", device)
		}
	}
	if got := names(t, top); len(got) > 0 {
		t.Errorf("made %v", got)
	}
}

func TestCancelledCursor(t *testing.T) {
	d := New(t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	save(t, d, "sda", sample())
	cancel()
	_, loading := d.Load(ctx, "sda")
	other := sample()
	other.Seed++
	for what, err := range map[string]error{"load": loading, "save": d.Save(ctx, "sda", other), "clear": d.Clear(ctx, "sda")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := load(t, d, "sda"); got == nil || got.Seed != sample().Seed {
		t.Errorf("%+v", got)
	}
}

// A process dies before the rename: the old cursor is there, and what is left of the
// new one goes with the next.
func TestCrashLeavesTheOldCursor(t *testing.T) {
	dir := t.TempDir()
	old, next := sample(), sample()
	next.Done++
	save(t, New(dir), "sda", old)
	save(t, New(dir), "sdb", old)
	data, err := encode(next)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 1, len(data) / 2, len(data)} {
		if _, err := writeTemp(filepath.Join(dir, "sda.json"), data[:cut]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".git.json.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".note"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d := New(dir)
	if got := load(t, d, "sda"); !reflect.DeepEqual(*got, old) {
		t.Errorf("after the crash: %+v", got)
	}
	save(t, d, "sdc", next)
	if got := strings.Join(names(t, dir), " "); got != ".git.json.d .note sda.json sdb.json sdc.json" {
		t.Errorf("left %s", got)
	}
	if got := load(t, d, "sda"); !reflect.DeepEqual(*got, old) {
		t.Errorf("after cleaning: %+v", got)
	}
}

// A folder that cannot be written is an error, and keeps what it has.
func TestReadOnlyFolder(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "understudy")
	save(t, New(dir), "sda", sample())
	for _, path := range []string{filepath.Dir(top), top, dir} {
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, 0o755) })
	}
	asNobody(t, func() {
		for what, err := range map[string]error{
			"save": New(dir).Save(context.Background(), "sda", sample()), "clear": New(dir).Clear(context.Background(), "sda"),
			"make": New(filepath.Join(top, "other")).Save(context.Background(), "sda", sample()),
		} {
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	if got := load(t, New(dir), "sda"); got == nil || !reflect.DeepEqual(*got, sample()) {
		t.Errorf("%+v", got)
	}
	missing := New(filepath.Join(top, "no", "such"))
	if err := missing.Save(context.Background(), "sda", sample()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder in a missing one: %v", err)
	}
}

// asNobody runs f on a thread that has no rights of root's over files. The thread
// ends with it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		if os.Geteuid() == 0 {
			err = unix.Setfsuid(65534)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
