package disk

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

func (r *rig) tree() (all []string) {
	r.Helper()
	err := filepath.WalkDir(r.dev, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == r.dev {
			return err
		}
		rel, _ := filepath.Rel(r.dev, path)
		if !d.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel += "=" + string(content)
		}
		all = append(all, rel)
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return all
}

func (r *rig) crashed(want ...string) {
	r.Helper()
	if err := r.Crash("d1"); err != nil {
		r.Error(err)
	}
	if got := r.tree(); !slices.Equal(got, want) {
		r.Errorf("left %v, not %v", got, want)
	}
}

func (r *rig) put(name, content string, sync bool) {
	r.Helper()
	r.putIn(r.dir, name, content, sync)
}

func (r *rig) putIn(in store.Dir, name, content string, sync bool) {
	r.Helper()
	f := r.open(".", unix.O_TMPFILE|unix.O_RDWR)
	if _, err := f.Write([]byte(content)); err != nil {
		r.Fatal(err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			r.Fatal(err)
		}
	}
	if err := errors.Join(f.LinkInto(in, name), f.Close()); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) openDir(name string) store.Dir {
	r.Helper()
	d, err := r.OpenDir(r.dir, name, false)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { store.OS().CloseDir(d) })
	return d
}

// moveDir makes a directory, which is durable, with two files, which are not, and calls
// it "after".
func (r *rig) moveDir(name, first, second string) {
	r.Helper()
	if err := os.Mkdir(filepath.Join(r.dev, name), 0o755); err != nil {
		r.Fatal(err)
	}
	in := r.openDir(name)
	r.putIn(in, first, "one", true)
	r.putIn(in, second, "two", true)
	if err := r.Rename(r.dir, name, r.dir, "after"); err != nil {
		r.Fatal(err)
	}
}

const willCrash = "disk op=rmdir path=never : crash\n"

func TestCrashKeepsWhatIsDurable(t *testing.T) {
	r := newRig(t, willCrash)
	r.put("1.data", "one", true)
	if err := errors.Join(r.Mkdir(r.dir, "sub"), r.SyncDir(r.dir)); err != nil {
		t.Fatal(err)
	}
	r.crashed("1.data=one", "sub")
}

func TestCrashDropsWhatIsNot(t *testing.T) {
	t.Run("a name", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.put("1.data", "one", true)
		r.crashed()
	})
	t.Run("content", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.put("1.data", "one", false)
		if err := r.SyncDir(r.dir); err != nil {
			t.Fatal(err)
		}
		r.crashed("1.data=")
	})
	t.Run("a removal", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.file("1.data", "one")
		if err := r.Remove(r.dir, "1.data"); err != nil {
			t.Fatal(err)
		}
		r.crashed("1.data=one")
	})
	t.Run("a rename over another", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.file("new", "new")
		r.file("hashes.pkl", "old")
		if err := r.Rename(r.dir, "new", r.dir, "hashes.pkl"); err != nil {
			t.Fatal(err)
		}
		r.crashed("hashes.pkl=old", "new=new")
	})
	t.Run("names in a directory that is then renamed", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.moveDir("before", "1.data", "2.data")
		r.crashed("before")
	})
	t.Run("names in a directory whose new name is durable", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.moveDir("before", "1.data", "2.data")
		if err := r.SyncDir(r.dir); err != nil {
			t.Fatal(err)
		}
		r.crashed("after")
	})
	t.Run("the name of a directory whose entries are durable", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.moveDir("before", "1.data", "2.data")
		after := r.openDir("after")
		if err := r.SyncDir(after); err != nil {
			t.Fatal(err)
		}
		r.crashed("before", "before/1.data=one", "before/2.data=two")
	})
	t.Run("content below a directory that is then renamed", func(t *testing.T) {
		r := newRig(t, willCrash)
		if err := os.Mkdir(filepath.Join(r.dev, "before"), 0o755); err != nil {
			t.Fatal(err)
		}
		r.file("before/2.data", "")
		f := r.open("before/2.data", unix.O_WRONLY)
		if _, err := f.Write([]byte("two")); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Rename(r.dir, "before", r.dir, "after"), r.SyncDir(r.dir)); err != nil {
			t.Fatal(err)
		}
		r.crashed("after", "after/2.data=")
	})
	t.Run("a whole tree given up", func(t *testing.T) {
		r := newRig(t, willCrash)
		if err := os.Mkdir(filepath.Join(r.dev, "hash"), 0o755); err != nil {
			t.Fatal(err)
		}
		r.file("hash/1.data", "one")
		d, err := r.OpenDir(r.dir, "hash", false)
		if err != nil {
			t.Fatal(err)
		}
		defer store.OS().CloseDir(d)
		if err := errors.Join(r.Remove(d, "1.data"), r.Rmdir(r.dir, "hash")); err != nil {
			t.Fatal(err)
		}
		r.crashed("hash", "hash/1.data=one")
	})
	t.Run("behind a lie", func(t *testing.T) {
		r := newRig(t, willCrash+"disk op=syncdir|sync : lie\n")
		r.put("1.data", "one", true)
		if err := r.SyncDir(r.dir); err != nil {
			t.Fatal(err)
		}
		r.crashed()
	})
	t.Run("not of another device", func(t *testing.T) {
		r := newRig(t, willCrash)
		r.put("1.data", "one", true)
		if err := r.Crash("d2"); err != nil {
			t.Fatal(err)
		}
		if got := r.tree(); len(got) != 1 {
			t.Errorf("left %v", got)
		}
	})
}

func TestCrashAsAFault(t *testing.T) {
	r := newRig(t, "disk device=d1 op=syncdir : crash nth=2")
	r.put("1.data", "one", true)
	if err := r.SyncDir(r.dir); err != nil {
		t.Fatal(err)
	}
	r.put("2.data", "two", true)
	if err := r.SyncDir(r.dir); !errors.Is(err, unix.EIO) {
		t.Errorf("sync at the crash: %v", err)
	}
	if _, err := r.FS.Stat(r.dir, "1.data", false); !errors.Is(err, unix.EIO) {
		t.Errorf("stat after the crash: %v", err)
	}
	r.faults.Clear()
	if _, err := r.FS.Stat(r.dir, "1.data", false); err != nil {
		t.Errorf("stat when it is over: %v", err)
	}
	if got := r.tree(); !slices.Equal(got, []string{"1.data=one"}) {
		t.Errorf("left %v", got)
	}
}
