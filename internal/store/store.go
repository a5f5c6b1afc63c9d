// Package store is a node's disks as the engine sees them: which partitions
// there are, what their suffixes hash to, and the few things that may be deleted
// or moved on the way. It works on any number of devices at once; a call blocks
// only on the disk that it names.
//
// Below a device everything is reached by descriptors from a directory that was
// verified to be the device, and no symbolic link is followed. So nothing is ever
// written below a mount point that has lost its disk.
package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/zoo"
	"understudy/messages"
)

// Options make a Store. Root, ReclaimAge and Log have no default.
type Options struct {
	Root       string        // the devices directory, absolute ("/srv/node")
	MountCheck bool          // a device must be a mount point, not just a directory
	ReclaimAge time.Duration // age at which tombstones and temporary files go
	Log        zerolog.Logger

	FS          FS               // nil: the real one
	Now         func() time.Time // nil: time.Now
	Rand        Rand             // nil: math/rand/v2
	LockTimeout time.Duration    // wait for a partition's .lock; 0: 10 s, as Swift
}

// Rand is a source of random numbers, safe for concurrent use.
type Rand interface {
	IntN(n int) int
}

type globalRand struct{}

func (globalRand) IntN(n int) int { return rand.IntN(n) }

// Store is safe for concurrent use. Two calls for one partition exclude each
// other only where Swift's processes do, by the partition's lock.
type Store struct {
	root        string
	mountCheck  bool
	reclaimAge  time.Duration
	lockTimeout time.Duration
	fs          FS
	now         func() time.Time
	rand        Rand
	log         zerolog.Logger

	mu    sync.Mutex
	locks map[*Lock]struct{} // held now

	digests digestCache
}

// New makes a Store. It touches no disk.
func New(o Options) *Store {
	s := &Store{
		root: o.Root, mountCheck: o.MountCheck, reclaimAge: o.ReclaimAge, lockTimeout: o.LockTimeout,
		fs: o.FS, now: o.Now, rand: o.Rand, log: o.Log, locks: map[*Lock]struct{}{},
		digests: newDigestCache(),
	}
	if s.fs == nil {
		s.fs = OS()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = globalRand{}
	}
	if s.lockTimeout == 0 {
		s.lockTimeout = lockTimeout
	}
	return s
}

// DevicePath is the absolute path of a device.
func (s *Store) DevicePath(device string) string {
	if strings.HasSuffix(s.root, "/") {
		return s.root + device
	}
	return s.root + "/" + device
}

// PartitionPath is the absolute path of a partition.
func (s *Store) PartitionPath(p messages.Partition) string {
	return s.DevicePath(p.Device) + "/" + messages.ObjectsDir(p.Policy) + "/" + partitionName(p)
}

func partitionName(p messages.Partition) string { return strconv.FormatUint(uint64(p.Number), 10) }

// is tells whether an error comes from one of some errnos.
func is(err error, errnos ...unix.Errno) bool {
	if err == nil {
		return false
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return false
	}
	if errno == unix.EIO && zoo.Bug("eio-is-absence") {
		errno = unix.ENOENT
	}
	for _, e := range errnos {
		if errno == e {
			return true
		}
	}
	return false
}

// unwritable tells whether a write failed because the disk takes no more, though
// what is on it can still be read and served.
func unwritable(err error) bool { return is(err, unix.ENOSPC, unix.EDQUOT, unix.EROFS) }

// unlistable tells of a directory that is broken itself: bad sectors or a damaged
// file system under it. Swift: obj/diskfile.py _hash_suffix_dir.
func unlistable(err error) bool { return is(err, unix.ENODATA, unix.EUCLEAN) }

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
