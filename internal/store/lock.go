package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// The waits of Swift's lock_path: short at first, then a hundredth of the timeout.
const (
	lockTimeout = 10 * time.Second // Swift: common/utils DEFAULT_LOCK_TIMEOUT
	lockPoll    = 10 * time.Millisecond

	lockFile = ".lock"
)

// ReplicationLock names the lock of a partition that a revert holds, and an
// incoming SSYNC: .lock-replication.
const ReplicationLock = "replication"

// Lock is a held flock. It is held against Swift's daemons as well, and given up
// by the kernel when this process ends however it ends.
type Lock struct {
	store *Store
	file  File
}

// LockTimeoutError says that another held a lock all the while.
type LockTimeoutError struct {
	Path    string // of the (first) lock file
	Timeout time.Duration
}

func (e *LockTimeoutError) Error() string {
	return fmt.Sprintf("lock %s: held by another for %s", e.Path, e.Timeout)
}

// Unlock gives the lock up. The lock file stays.
func (l *Lock) Unlock() error {
	l.store.mu.Lock()
	delete(l.store.locks, l)
	l.store.mu.Unlock()
	return l.file.Close()
}

// LockPartition takes a partition's lock of some name (ReplicationLock). With
// create a missing partition is made, as an SSYNC needs it. Errors:
// *LockTimeoutError, *messages.DeviceError, *messages.NotDirectoryError,
// ErrNoPartition. Swift: obj/diskfile.py partition_lock.
func (s *Store) LockPartition(ctx context.Context, p messages.Partition, name string, timeout time.Duration, create bool) (*Lock, error) {
	w, err := s.open(ctx, p, create)
	if err != nil {
		return nil, err
	}
	defer w.close()
	return s.lock(ctx, w.dir, lockFile+"-"+name, 1, timeout)
}

// LockDevice takes one of limit locks of a device: .lock, .lock-1 and so on. An
// incoming SSYNC holds one. Errors: *LockTimeoutError, *messages.DeviceError.
// Swift: obj/diskfile.py replication_lock.
func (s *Store) LockDevice(ctx context.Context, device string, limit int, timeout time.Duration) (*Lock, error) {
	d, err := s.openDevice(ctx, device)
	if err != nil {
		return nil, err
	}
	defer s.fs.CloseDir(d)
	return s.lock(ctx, d, lockFile, limit, timeout)
}

// ReleaseLocks gives up every lock, whoever holds it, and tells how many there
// were. It is for the end of the process only: a thread that a dead disk holds in
// the kernel keeps all descriptors of the process open, and the locks with them.
func (s *Store) ReleaseLocks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.locks {
		l.file.Unlock() // nobody is left to be told of an error
	}
	n := len(s.locks)
	clear(s.locks)
	return n
}

// lock takes the first free one of limit lock files in a directory: name, name-1
// and so on, which are made when missing and never removed. Time is counted in
// what was slept, as Swift does. Swift: common/utils lock_path.
func (s *Store) lock(ctx context.Context, d Dir, name string, limit int, timeout time.Duration) (*Lock, error) {
	files := make([]File, 0, limit)
	closeAll := func() {
		for _, f := range files {
			f.Close() // nothing was written
		}
	}
	for i := range limit {
		numbered := name
		if i > 0 {
			numbered += "-" + strconv.Itoa(i)
		}
		f, err := s.fs.OpenFile(d, numbered, unix.O_WRONLY|unix.O_CREAT, 0o777)
		if err != nil {
			closeAll()
			return nil, err
		}
		files = append(files, f)
	}
	for slept, pause := time.Duration(0), lockPoll; ; slept += pause {
		for i, f := range files {
			ok, err := f.TryLock()
			if err != nil {
				closeAll()
				return nil, err
			}
			if ok {
				files = append(files[:i], files[i+1:]...)
				closeAll()
				return s.hold(f), nil
			}
		}
		if slept >= timeout {
			closeAll()
			return nil, &LockTimeoutError{Path: d.Child(name), Timeout: timeout}
		}
		if slept > timeout/100 {
			pause = max(lockPoll, timeout/100)
		}
		pause = min(pause, timeout-slept)
		if err := sleep(ctx, pause); err != nil {
			closeAll()
			return nil, err
		}
	}
}

func (s *Store) hold(f File) *Lock {
	l := &Lock{store: s, file: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks[l] = struct{}{}
	return l
}
