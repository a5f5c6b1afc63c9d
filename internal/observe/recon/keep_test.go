package recon

import (
	"os"
	"path/filepath"
	"testing"
)

// Devices that are no longer ours go, and nothing else; a file in which there is
// nothing to delete is not written.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	before := `{"object_replication_per_disk": {"d1": {"a": 1}, "gone": {"a": 2}}, "auditor": {"gone": 1}}` + "\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	c := New(dir)
	if err := c.Keep(t.Context(), "object_replication_per_disk", []string{"d1", "d2"}); err != nil {
		t.Fatal(err)
	}
	want := `{"auditor": {"gone": 1}, "object_replication_per_disk": {"d1": {"a": 1}}}` + "\n"
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Fatalf("got %s, %v", got, err)
	}
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"object_replication_per_disk", "auditor_of_nobody"} {
		if err := c.Keep(t.Context(), key, []string{"d1"}); err != nil {
			t.Fatal(err)
		}
	}
	if second, err := os.Stat(path); err != nil || !os.SameFile(first, second) {
		t.Errorf("written though nothing changed (%v)", err)
	}
}
