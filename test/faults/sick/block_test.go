package sick

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What was synced is there after a power cut, what was not is gone; and a disk that
// loses its power at a write fails from then on.
func TestPowerCut(t *testing.T) {
	path := t.TempDir()
	b, err := NewBlock(t.Context(), t.TempDir(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	body := bytes.Repeat([]byte("x"), 100_000)
	write := func(name string, sync bool) error {
		f, err := os.Create(filepath.Join(path, name))
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.Write(body); err != nil {
			return err
		}
		if sync {
			return f.Sync()
		}
		return nil
	}
	for _, name := range []string{"synced", "loose"} {
		if err := write(name, name == "synced"); err != nil {
			t.Fatal(err)
		}
	}
	b.Cut(1, 0)
	if err := write("late", true); err == nil {
		t.Error("a disk without power takes writes")
	}
	if err := b.Power(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(path, "synced")); err != nil || !bytes.Equal(got, body) {
		t.Errorf("what was synced: %d bytes, %v", len(got), err)
	}
	if i, err := os.Stat(filepath.Join(path, "loose")); err == nil && i.Size() > 0 {
		t.Errorf("what was not synced has %d bytes", i.Size())
	}
	// The power goes in the middle of an fsync.
	before := b.Writes()
	b.CutAt(2, 2, 50)
	if err := write("cut", true); err == nil {
		t.Errorf("an fsync has succeeded without power, after %d writes", b.Writes()-before)
	}
	if err := b.Power(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(path, "synced")); err != nil || !bytes.Equal(got, body) {
		t.Errorf("what was synced before: %d bytes, %v", len(got), err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil || st.Type != unix.XFS_SUPER_MAGIC {
		t.Errorf("the disk is %x, %v", st.Type, err)
	}
}
