package inspect

import (
	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// readOnly is a file system on which nothing changes. The store works on it as it
// works on a disk that takes no writes: it hashes and lists what is there and caches
// nothing.
//
// What the store would clean up counts as cleaned up, because the hashes that it
// tells are those after cleaning. Locks count as taken: nobody has to wait for one
// who only looks. So what was read while others wrote may be torn; see steady.
type readOnly struct{ store.FS }

// ReadOnly is the view of a file system on which every change is refused, or is only
// said to have been made.
func ReadOnly(fs store.FS) store.FS { return readOnly{fs} }

func (readOnly) SyncDir(store.Dir) error       { return nil }
func (readOnly) Mkdir(store.Dir, string) error { return unix.EROFS }

// Rmdir and Remove do as if: see readOnly.
func (readOnly) Rmdir(store.Dir, string) error  { return nil }
func (readOnly) Remove(store.Dir, string) error { return nil }

func (readOnly) Rename(store.Dir, string, store.Dir, string) error { return unix.EROFS }
func (readOnly) Move(store.Dir, string, store.Dir, string) error   { return unix.EROFS }

// OpenFile opens for reading whatever is asked for. A file that is not there is not
// made, and one that would be opened to be changed gives EROFS, also the lock of
// hashes.pkl: without it the store writes no hashes. Only the lock of a handoff, which
// is opened to be locked and not to be written, is opened for reading.
func (r readOnly) OpenFile(at store.Dir, name string, flags int, _ uint32) (store.File, error) {
	const change = unix.O_RDWR | unix.O_TRUNC | unix.O_APPEND | unix.O_EXCL | unix.O_TMPFILE&^unix.O_DIRECTORY
	locks := name == ".lock-"+store.ReplicationLock && flags&change == 0
	if flags&change != 0 || flags&unix.O_WRONLY != 0 && !locks {
		return nil, unix.EROFS
	}
	f, err := r.FS.OpenFile(at, name, flags&unix.O_DIRECTORY|unix.O_RDONLY, 0)
	if err != nil {
		if locks {
			return nil, unix.EROFS
		}
		return nil, err
	}
	return unlocked{f}, nil
}

// unlocked is a file opened for reading that takes no lock. It keeps what else its
// file can do that objects need.
type unlocked struct{ store.File }

func (unlocked) TryLock() (bool, error) { return true, nil }
func (unlocked) Unlock() error          { return nil }
func (unlocked) Truncate(int64) error   { return unix.EROFS }
func (unlocked) Sync() error            { return nil }
