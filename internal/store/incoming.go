package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashpath"
	"understudy/messages"
)

// Incoming is a partition that takes objects from another node. It holds the locks
// that keep reverts and other such sessions off, until Close. It is not safe for
// concurrent use.
type Incoming struct {
	*Objects
	rules     WriteRules
	locks     []*Lock
	anchored  bool            // the partition's own directory and those above are durable
	known     map[string]bool // suffixes whose directories are durable
	unsynced  bool            // hashes.invalid holds lines that a power cut could take
	vouched   map[string]bool // suffixes that were marked for what was held already
	written   *time.Time      // of hashes.pkl, when it was first asked for
	noTmpFile bool            // the file system knows no files without a name
}

// IncomingOptions are what a session is opened with.
type IncomingOptions struct {
	Paths       hashpath.Hasher
	Rules       WriteRules
	LockTimeout time.Duration // for all locks together
	PerDevice   int           // sessions of one device at a time; 0: no limit
}

// OpenIncoming locks a partition for a session, and its device, and opens it. What
// is missing below the device is made. Errors: *LockTimeoutError,
// *messages.DeviceError, *messages.NotDirectoryError.
// Swift: obj/diskfile.py replication_lock.
func (s *Store) OpenIncoming(ctx context.Context, p messages.Partition, o IncomingOptions) (*Incoming, error) {
	end := s.now().Add(o.LockTimeout)
	w, partLock, err := s.lockStanding(ctx, p, o.LockTimeout)
	if err != nil {
		return nil, err
	}
	in := &Incoming{
		Objects: &Objects{hasher: newHasher(w), paths: o.Paths}, rules: o.Rules,
		locks: []*Lock{partLock}, known: map[string]bool{}, vouched: map[string]bool{},
	}
	if o.PerDevice > 0 {
		deviceLock, err := s.lock(ctx, w.device, lockFile, o.PerDevice, max(0, end.Sub(s.now())))
		if err != nil {
			in.Close()
			return nil, err
		}
		in.locks = append(in.locks, deviceLock)
	}
	return in, nil
}

// lockStanding opens a partition, making it, and takes its replication lock.
//
// Unlike Swift: whoever gave a whole partition up while we waited for the lock has
// left us that of a file without a name, which keeps nobody off, in a directory
// without a name. Then all begins again, within the same time.
func (s *Store) lockStanding(ctx context.Context, p messages.Partition, timeout time.Duration) (*partition, *Lock, error) {
	end := s.now().Add(timeout)
	for left := timeout; ; left = max(0, end.Sub(s.now())) {
		w, err := s.open(ctx, p, true)
		if err != nil {
			return nil, nil, err
		}
		lock, err := s.lock(ctx, w.dir, handoffLock, 1, left)
		var late *LockTimeoutError
		switch {
		case errors.As(err, &late):
			late.Timeout = timeout
		case is(err, unix.ENOENT): // the directory was removed before the lock file was made
			err = nil
		case err == nil:
			var stands bool
			if stands, err = w.standing(lock); stands {
				return w, lock, nil
			}
			lock.Unlock() // nothing was written
		}
		w.close()
		if err == nil && s.now().After(end) {
			err = &LockTimeoutError{Path: w.dir.Child(handoffLock), Timeout: timeout}
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// standing tells whether a lock's file and its partition are still what others find
// by their names.
func (w *partition) standing(lock *Lock) (bool, error) {
	if ok, err := w.named(handoffLock, lock); err != nil || !ok {
		return false, err
	}
	return w.inPlace()
}

// inPlace tells whether the open partition is the one that its path leads to.
func (w *partition) inPlace() (bool, error) {
	own, err := w.fs.Stat(w.dir, "", false)
	if err != nil {
		return false, err
	}
	i, err := w.fs.Stat(w.device, messages.ObjectsDir(w.place.Policy)+"/"+partitionName(w.place), false)
	if is(err, unix.ENOENT, unix.ENOTDIR) {
		return false, nil
	}
	return err == nil && i.same(own), err
}

// Close gives the locks and the partition back.
func (in *Incoming) Close() {
	for _, l := range in.locks {
		l.Unlock() // closing gives a flock back, whatever close says
	}
	in.Objects.Close()
}

// Commit makes durable that the written suffixes have to be hashed again. Only then
// may the peer be told that all is well: it may give its own files up.
//
// Unlike Swift, which never syncs hashes.invalid: after a power cut hashes.pkl would
// go on telling of the partition as it was before the session.
func (in *Incoming) Commit(ctx context.Context) error {
	if !in.unsynced {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := in.fs.OpenFile(in.dir, invalidFile, unix.O_RDWR, 0)
	if is(err, unix.ENOENT) {
		return nil // hashes.pkl was dropped instead
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", invalidFile, err)
	}
	err = errors.Join(f.Sync(), f.Close(), in.fs.SyncDir(in.dir))
	if err != nil {
		return fmt.Errorf("sync %s: %w", invalidFile, err)
	}
	in.unsynced = false
	return nil
}

// ObjectName is what an object is called, in raw bytes. No part is empty.
type ObjectName struct{ Account, Container, Object string }

// Path is the name as it stands in metadata.
func (n ObjectName) Path() string { return "/" + n.Account + "/" + n.Container + "/" + n.Object }

// ParseObjectName cuts a path into a name.
func ParseObjectName(path string) (ObjectName, bool) {
	p := strings.SplitN(path, "/", 4)
	if len(p) != 4 || p[0] != "" || p[1] == "" || p[2] == "" || p[3] == "" {
		return ObjectName{}, false
	}
	return ObjectName{p[1], p[2], p[3]}, true
}

func (in *Incoming) hash(n ObjectName) string { return in.paths.Hex(n.Account, n.Container, n.Object) }
