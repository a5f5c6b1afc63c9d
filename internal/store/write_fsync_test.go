package store

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// An fsync that has failed is final. A second one may well succeed, for the kernel has
// thrown away what it could not write: the file would be there, and empty after the
// next cut. So nobody asks twice, and nothing is stored.
func TestFailedFsyncIsFinal(t *testing.T) {
	for what, write := range map[string]func(in *Incoming) error{
		"put":    func(in *Incoming) error { return putBody(in, "o", stamp(1), "body") },
		"delete": func(in *Incoming) error { return remove(in, "o", stamp(1)) },
	} {
		t.Run(what, func(t *testing.T) {
			var hook func(op, path string) error
			b := writeBench(t, &hook)
			in := b.incoming()
			syncs := 0
			hook = func(op, path string) error {
				if op != "fsync" || strings.HasSuffix(path, invalidFile) {
					return nil
				}
				if syncs++; syncs == 1 {
					return unix.EIO
				}
				return nil
			}
			if err := write(in); !errors.Is(err, unix.EIO) {
				t.Errorf("the answer is %v, want the disk's error", err)
			}
			hook = nil
			if syncs != 1 {
				t.Errorf("%d fsyncs of the file, want 1", syncs)
			}
			if files := b.objectFiles(); len(files) > 0 {
				t.Errorf("stored all the same: %q", files)
			}
		})
	}
}
