package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

func (w *partition) truncateInvalid() error {
	f, err := w.fs.OpenFile(w.dir, invalidFile, unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(0)
}

// Invalidate marks suffixes of a partition as changed, so that the next reader of
// their hashes makes them anew. Names that are no suffixes are left out.
// *messages.DeviceError when the device cannot be used.
// Swift: obj/diskfile.py invalidate_hash.
//
// Unlike Swift: a missing partition is not made just to hold the mark. There is
// nothing cached about it that could be wrong.
func (s *Store) Invalidate(ctx context.Context, p messages.Partition, suffixes []string) error {
	w, err := s.open(ctx, p, false)
	if errors.Is(err, ErrNoPartition) {
		return nil
	}
	if err != nil {
		return err
	}
	defer w.close()
	return w.invalidate(ctx, suffixes)
}

func (w *partition) invalidate(ctx context.Context, suffixes []string) error {
	var lines []byte
	for _, suffix := range suffixes {
		if hashes.ValidSuffix(suffix) {
			lines = hashes.AppendInvalid(lines, suffix)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	lock, err := w.lockSelf(ctx)
	if err != nil {
		return fmt.Errorf("invalidate suffixes: %w", err)
	}
	defer lock.Unlock()
	err = w.appendInvalid(lines)
	if is(err, unix.ENOSPC, unix.EDQUOT) {
		// Rule: the hashes are wrong from now on and there is no room to say so, but
		// unlinking needs none. Without hashes.pkl the whole partition is hashed again.
		w.warn().Err(err).Msg("hashes dropped: no room to invalidate a suffix")
		if err = w.fs.Remove(w.dir, hashFile); is(err, unix.ENOENT) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("invalidate suffixes: %w", err)
	}
	return nil
}

// appendInvalid adds lines to hashes.invalid in one write, and takes a part of
// them back when not all fit: a half line would swallow the next one. For the same
// reason a half line that a crash has left is ended first.
func (w *partition) appendInvalid(lines []byte) error {
	f, err := w.fs.OpenFile(w.dir, invalidFile, unix.O_RDWR|unix.O_CREAT|unix.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return err
	}
	var last [1]byte
	if i.Size > 0 {
		if _, err := f.ReadAt(last[:], i.Size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			lines = append([]byte{'\n'}, lines...)
		}
	}
	n, err := f.Write(lines)
	if err != nil && n > 0 {
		err = errors.Join(err, f.Truncate(i.Size))
	}
	return err
}
