package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// ErrNoPartition says that a device, which was verified, does not have a
// partition. It is never the answer for a device that could not be used.
var ErrNoPartition = errors.New("no such partition")

// partition is an open partition of a verified device.
type partition struct {
	*Store
	place  messages.Partition
	device Dir
	dir    Dir
}

// open opens a partition. It makes nothing unless create is set, and then at most
// the policy's directory and the partition, below the verified device. A missing
// partition is ErrNoPartition, one that is a file *messages.NotDirectoryError.
func (s *Store) open(ctx context.Context, p messages.Partition, create bool) (*partition, error) {
	device, err := s.openDevice(ctx, p.Device)
	if err != nil {
		return nil, err
	}
	w := &partition{Store: s, place: p, device: device}
	if err := w.openBelow(create); err != nil {
		s.fs.CloseDir(device)
		return nil, err
	}
	return w, nil
}

func (w *partition) openBelow(create bool) error {
	reach := func(at Dir, name string) (Dir, error) {
		if create {
			return w.makeDir(at, name)
		}
		return w.fs.OpenDir(at, name, false)
	}
	objects, err := reach(w.device, messages.ObjectsDir(w.place.Policy))
	if is(err, unix.ENOENT) {
		return fmt.Errorf("open partition: %w: %w", ErrNoPartition, err)
	}
	if err != nil {
		return fmt.Errorf("open partition: %w", err)
	}
	defer w.fs.CloseDir(objects)
	name := partitionName(w.place)
	w.dir, err = reach(objects, name)
	switch {
	case is(err, unix.ENOTDIR):
		return w.notDirectory(objects, name)
	case is(err, unix.ENOENT):
		return fmt.Errorf("open partition: %w: %w", ErrNoPartition, err)
	case err != nil:
		return fmt.Errorf("open partition: %w", err)
	}
	if err := w.sameFileSystem(objects); err != nil {
		w.fs.CloseDir(w.dir)
		return err
	}
	return nil
}

// sameFileSystem refuses a partition that something is mounted on: it is not a
// part of this disk.
func (w *partition) sameFileSystem(objects Dir) error {
	outer, err := w.fs.Stat(objects, "", false)
	if err != nil {
		return fmt.Errorf("open partition: %w", err)
	}
	inner, err := w.fs.Stat(w.dir, "", false)
	if err != nil {
		return fmt.Errorf("open partition: %w", err)
	}
	if outer.Dev != inner.Dev {
		return fmt.Errorf("open partition: %s is on another file system than its device", w.dir.Path)
	}
	return nil
}

func (w *partition) close() {
	w.fs.CloseDir(w.dir)
	w.fs.CloseDir(w.device)
}

// notDirectory deals with a partition that is no directory, and says so with a
// *messages.NotDirectoryError. Swift: obj/replicator.py replicate.
//
// Unlike Swift: only an empty file is unlinked. One with content is moved to the
// device's quarantine, for somebody to look at; anything else, like a symbolic
// link, is left where it is.
func (w *partition) notDirectory(objects Dir, name string) error {
	path := objects.Child(name)
	i, err := w.fs.Stat(objects, name, false)
	if err != nil {
		return fmt.Errorf("open partition: %w", err)
	}
	result := &messages.NotDirectoryError{Path: path, Size: i.Size, Action: "left"}
	switch {
	case i.IsDir():
		return fmt.Errorf("open partition: %s changed while it was opened", path)
	case i.IsRegular() && i.Size == 0:
		if err := w.fs.Remove(objects, name); err == nil {
			result.Action = "removed"
			swiftsWords(w.warn()).Msg("Removing partition directory which was a file: " + path)
		}
	case i.IsRegular():
		to, err := w.quarantine(objects, name)
		if err == nil {
			result.Action = "quarantined"
			w.warn().Int64("bytes", i.Size).Msg("Quarantined partition directory which was a file: " + path + " to " + to)
		}
	}
	return result
}

// quarantine moves a directory entry to quarantined/objects[-N] of its device
// under its own name; when that is taken, with a random uuid behind it.
// It never replaces what is there. Swift: obj/diskfile.py quarantine_renamer.
func (w *partition) quarantine(from Dir, name string) (to string, err error) {
	outer, err := w.makeDir(w.device, "quarantined")
	if err != nil {
		return "", fmt.Errorf("quarantine %s: %w", from.Child(name), err)
	}
	defer w.fs.CloseDir(outer)
	inner, err := w.makeDir(outer, messages.ObjectsDir(w.place.Policy))
	if err != nil {
		return "", fmt.Errorf("quarantine %s: %w", from.Child(name), err)
	}
	defer w.fs.CloseDir(inner)
	target := name
	err = w.fs.Move(from, name, inner, target)
	if is(err, unix.EEXIST, unix.ENOTEMPTY) {
		target = name + "-" + w.uuid()
		err = w.fs.Move(from, name, inner, target)
	}
	if err != nil {
		return "", fmt.Errorf("quarantine %s: %w", from.Child(name), err)
	}
	return inner.Child(target), nil
}

// uuid is a random uuid4 as 32 hex digits.
func (s *Store) uuid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(s.rand.IntN(256))
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x", b)
}

// SuffixDirs returns the absolute paths of those of some suffixes that exist as
// directories, in the order given. A name that is no suffix is left out.
// *messages.DeviceError when the device cannot be used; a missing partition has
// no suffixes.
func (s *Store) SuffixDirs(ctx context.Context, p messages.Partition, suffixes []string) ([]string, error) {
	w, err := s.open(ctx, p, false)
	if errors.Is(err, ErrNoPartition) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer w.close()
	var dirs []string
	for _, suffix := range suffixes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !hashes.ValidSuffix(suffix) {
			continue
		}
		switch i, err := w.fs.Stat(w.dir, suffix, false); {
		case err == nil && i.IsDir():
			dirs = append(dirs, w.dir.Child(suffix))
		case err != nil && !is(err, unix.ENOENT):
			return nil, fmt.Errorf("look for suffix %s: %w", suffix, err)
		}
	}
	return dirs, nil
}
