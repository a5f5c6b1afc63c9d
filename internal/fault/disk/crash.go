package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
)

// Crash takes from a device what a power cut may take: every change of a directory that
// no SyncDir has made durable, in the reverse order, and the content of files that were
// not synced. It knows what happened since Config.Journal or a plan with a crash told it
// to. Nothing may use the device at that time.
func (f *FS) Crash(device string) error {
	return f.journal.crash(device, f.root+device)
}

func (j *journal) crash(device, path string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for file, at := range j.dirty {
		if file.device != device {
			continue
		}
		delete(j.dirty, file)
		if !strings.HasSuffix(at, "/"+unnamed) {
			errs = append(errs, gone(os.Truncate(at, 0)))
		}
	}
	var others []change
	for i, c := range slices.Backward(j.changes) {
		if c.device != device {
			others = append(others, c)
			continue
		}
		err := c.undo(c.path(), c.from)
		if err == nil && c.from != "" {
			move(j.changes[:i], c.path(), c.from) // what is older is there again
		}
		errs = append(errs, gone(err))
	}
	slices.Reverse(others)
	j.changes = others
	errs = append(errs, gone(os.Remove(path+"/"+stash)))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("crash device %s: %w", device, err)
	}
	return nil
}

// gone leaves out that there is nothing to be undone: a directory was given up with
// what is in it, or is kept by what is durable in it.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return err
}

// fail crashes a device and keeps it down until the fault is over.
func (f *FS) fail(device string, h fault.Hit) {
	f.journal.mu.Lock()
	f.journal.down[device] = h
	f.journal.mu.Unlock()
	_ = f.journal.crash(device, f.root+device) // what could not be undone is durable then
}

// isDown tells whether a device has crashed and not come back.
func (j *journal) isDown(device string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	h, ok := j.down[device]
	if !ok {
		return false
	}
	if j.faults.Lasts(h) {
		return true
	}
	delete(j.down, device)
	return false
}
