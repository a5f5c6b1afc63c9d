package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

const (
	probeSize = 4096 // bytes: a block of about every file system

	// probeFile is the name of a probe's file in the device's directory where a file
	// cannot do without one.
	probeFile = ".understudy-probe"
)

// Probe tells what a device is good for. It checks the device first
// (*messages.DeviceError), then writes a file that has no name, makes it durable and
// reads it back. A disk that takes no writes must still prove that it can be read.
//
// Unlike Swift, which has no probe: a disk whose writes hang goes on answering reads,
// and would take the jobs of a pass one after the other.
func (s *Store) Probe(ctx context.Context, device string) (messages.Disk, error) {
	d, err := s.openDevice(ctx, device)
	if err != nil {
		return messages.DiskFine, err
	}
	defer s.fs.CloseDir(d)
	disk, err := s.condition(s.write(ctx, d))
	if errors.Is(err, errForbidden) {
		s.log.Debug().Err(err).Str("device", device).Msg("probe may not write, only read")
		disk, err = messages.DiskFine, s.list(ctx, d)
	} else if err == nil && disk != messages.DiskFine {
		err = s.list(ctx, d)
	}
	if err != nil {
		return messages.DiskFine, fmt.Errorf("probe device %s: %w", device, err)
	}
	return disk, nil
}

// condition sorts what has come of writing. An illness beside "full" is an illness.
func (s *Store) condition(err error) (messages.Disk, error) {
	switch {
	case s.Ill(err):
		return messages.DiskFine, err
	case is(err, unix.EROFS):
		return messages.DiskReadOnly, nil
	case is(err, unix.ENOSPC, unix.EDQUOT):
		return messages.DiskFull, nil
	}
	return messages.DiskFine, err
}

// list proves that a device can be read.
func (s *Store) list(ctx context.Context, d Dir) error {
	if err := s.fs.EachName(d, "", func([]string) error { return ctx.Err() }); err != nil {
		return err
	}
	_, err := s.fs.Stat(d, "", false)
	return err
}

// write writes a file and reads it back. Whatever comes of it, no name is left.
func (s *Store) write(ctx context.Context, d Dir) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, named, err := s.createProbe(d)
	if is(err, unix.EACCES, unix.EPERM) {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	if err != nil {
		return err
	}
	err = errors.Join(s.tryOut(ctx, f), f.Close())
	if named {
		// Another probe may have been faster.
		if rmErr := s.fs.Remove(d, probeFile); !is(rmErr, unix.ENOENT) {
			err = errors.Join(err, rmErr)
		}
	}
	return err
}

// errForbidden says that a device's directory is another user's.
var errForbidden = errors.New("no right to write to the device")

// createProbe makes the file: one without a name or, where the file system has no
// such thing, a named one in the place of any that a probe has left.
func (s *Store) createProbe(d Dir) (f File, named bool, err error) {
	f, err = s.fs.OpenFile(d, ".", unix.O_TMPFILE|unix.O_RDWR, 0o600)
	// The last two are answers of a kernel that does not know the flag.
	if !is(err, unix.EOPNOTSUPP, unix.EISDIR, unix.ENOENT) {
		return f, false, err
	}
	for range 3 { // another process may be probing, too
		// Rule: a file that only probes make, and that holds nothing.
		if err = s.fs.Remove(d, probeFile); err != nil && !is(err, unix.ENOENT) {
			return nil, false, err
		}
		f, err = s.fs.OpenFile(d, probeFile, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
		if !is(err, unix.EEXIST) {
			break
		}
	}
	return f, true, err
}

// tryOut writes to a file, syncs it and reads it back. A failed fsync is final: the
// kernel has forgotten what it could not write, and a second one would succeed.
func (s *Store) tryOut(ctx context.Context, f File) error {
	wrote, read := make([]byte, probeSize), make([]byte, probeSize)
	for i := range wrote {
		wrote[i] = byte(s.rand.IntN(256))
	}
	if _, err := f.Write(wrote); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if on, ok := f.(interface{ Descriptor() int }); ok {
		// Advice only. Where it is taken, the disk is read and not the memory.
		_ = unix.Fadvise(on.Descriptor(), 0, 0, unix.FADV_DONTNEED)
	}
	_, err := f.ReadAt(read, 0)
	if errors.Is(err, io.EOF) || err == nil && !bytes.Equal(wrote, read) {
		return errOtherBytes
	}
	return err
}
