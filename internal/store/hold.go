package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

const (
	// handoffWait is how long a revert waits for the lock of its partition.
	// Swift: obj/replicator.py revert.
	handoffWait = 200 * time.Millisecond

	handoffLock = lockFile + "-" + ReplicationLock
)

// Path is the absolute path of a partition, for log lines.
func (s *Store) Path(p messages.Partition) string { return s.PartitionPath(p) }

// Handoff is a handoff partition that is held for a revert job: locked against
// incoming SSYNC and other reverts, and listed. PUTs and incoming rsync do not
// take this lock; what they bring is told by the listing.
//
// It is safe for concurrent use: Release waits for Remove.
type Handoff struct {
	place    *partition
	lock     *Lock
	onDir    bool // lock is that of the partition's directory: there was no room for a file
	listed   *listing
	manifest messages.Manifest

	mu       sync.Mutex
	released bool
	spent    bool // Remove has been called
}

// Hold locks a handoff partition and lists it. It checks the device first and
// makes nothing but the lock file. Errors: *messages.DeviceError,
// *messages.NotDirectoryError, messages.ErrPartitionLocked, ErrNoPartition, or
// what the disk says: a listing is complete or an error.
// Swift: obj/replicator.py revert.
func (s *Store) Hold(ctx context.Context, p messages.Partition) (*Handoff, error) {
	w, err := s.open(ctx, p, false)
	if err != nil {
		return nil, err
	}
	h := &Handoff{place: w}
	if err = h.take(ctx); err == nil {
		h.listed, err = w.listHandoff(ctx)
	}
	if err != nil {
		h.Release()
		return nil, fmt.Errorf("hold partition %s: %w", w.dir.Path, err)
	}
	h.manifest = h.listed.manifest()
	return h, nil
}

// take takes the replication lock.
func (h *Handoff) take(ctx context.Context) (err error) {
	w := h.place
	h.lock, err = w.lock(ctx, w.dir, handoffLock, 1, handoffWait)
	if unwritable(err) {
		// A full disk has no room for a lock file, and it is full disks that have to
		// be drained; one that has become read-only is a source still. The directory can be locked instead. That keeps other reverts of
		// ours off; Swift's receivers want the file, which they cannot make either. If
		// one can after all, the file shows, and nothing is removed.
		h.onDir = true
		h.lock, err = w.lockDir()
	}
	var timeout *LockTimeoutError
	if errors.As(err, &timeout) {
		return fmt.Errorf("%w: %w", messages.ErrPartitionLocked, err)
	}
	if err != nil {
		return err
	}
	// Whoever gave a whole partition up while we waited has left us the lock of a
	// file without a name, which keeps nobody off.
	ok, err := h.stands()
	if err == nil && !ok {
		err = messages.ErrPartitionLocked
	}
	return err
}

// lockDir locks the directory of a partition itself, without waiting.
func (w *partition) lockDir() (*Lock, error) {
	f, err := w.fs.OpenFile(w.dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	ok, err := f.TryLock()
	if err == nil && !ok {
		err = &LockTimeoutError{Path: w.dir.Path}
	}
	if err != nil {
		f.Close() // nothing was written
		return nil, err
	}
	return w.hold(f), nil
}

// stands tells whether the replication lock still keeps others off: it is held,
// and its file is the one that others find.
func (h *Handoff) stands() (bool, error) {
	// Taking a flock again that is held already changes nothing.
	if ok, err := h.lock.file.TryLock(); err != nil || !ok {
		return false, err
	}
	if !h.onDir {
		return h.place.named(handoffLock, h.lock)
	}
	_, err := h.place.fs.Stat(h.place.dir, handoffLock, false)
	if is(err, unix.ENOENT) {
		return true, nil
	}
	return false, err // somebody has found room for the lock file
}

// named tells whether a name in the partition is that of a lock's own file.
func (w *partition) named(name string, l *Lock) (bool, error) {
	own, err := l.file.Stat()
	if err != nil {
		return false, err
	}
	i, err := w.fs.Stat(w.dir, name, false)
	if is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil && i.same(own), err
}

// Manifest is what the partition held when it was locked.
func (h *Handoff) Manifest() messages.Manifest { return h.manifest }

// Release gives the lock back. It may be called more than once, and blocks.
func (h *Handoff) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return
	}
	h.released = true
	if h.lock != nil {
		h.lock.Unlock() // closing gives a flock back, whatever close says
	}
	h.place.close()
}
