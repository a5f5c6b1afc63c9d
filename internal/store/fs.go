package store

import (
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// FS is every call that this package makes of a file system. OS returns the real
// one; others stand between to record or to inject faults. Names are relative to
// an open directory, so that what is decided about a directory is done to that
// directory, also when its path has come to mean another one meanwhile.
//
// Errors carry the errno (errors.Is with a unix.Errno). Implementations are safe
// for concurrent use.
type FS interface {
	// OpenDir opens a directory. Without follow a symbolic link is ENOTDIR.
	OpenDir(at Dir, name string, follow bool) (Dir, error)
	// ReadDir appends the names in a directory to into, in no order. An empty name
	// means at itself, else a symbolic link is ENOTDIR. All or an error: what was
	// read before an error is not to be used.
	ReadDir(at Dir, name string, into []string) ([]string, error)
	// EachName is ReadDir for directories without bound: it hands the names to batch
	// as they are read, some at a time and never none. They are good during that call
	// only. An error of batch ends the reading and is returned. An error of the
	// directory may come after some batches.
	EachName(at Dir, name string, batch func(names []string) error) error
	// SyncDir makes the entries of a directory durable.
	SyncDir(d Dir) error
	// CloseDir gives a directory back.
	CloseDir(d Dir) error
	// Stat describes a file. An empty name means at itself.
	Stat(at Dir, name string, follow bool) (Info, error)
	// Mkdir makes a directory, with mode 0777 less the umask.
	Mkdir(at Dir, name string) error
	// Rmdir removes an empty directory.
	Rmdir(at Dir, name string) error
	// Remove unlinks a file that is no directory.
	Remove(at Dir, name string) error
	// Rename moves a file or directory; what has the new name is replaced.
	Rename(from Dir, old string, to Dir, name string) error
	// Move is Rename that replaces nothing: EEXIST when the new name is taken.
	Move(from Dir, old string, to Dir, name string) error
	// OpenFile opens a file with open(2) flags. No symbolic link is followed (ELOOP),
	// no FIFO is waited for, and the descriptor is not inherited by children.
	OpenFile(at Dir, name string, flags int, perm uint32) (File, error)
}

// Dir is an open directory of the FS that returned it.
type Dir struct {
	FD   int    // a descriptor of the real file system, or what else its FS counts by
	Path string // for messages and fault plans; it is never opened again
}

// Root is where absolute paths begin.
var Root = Dir{FD: unix.AT_FDCWD}

// Child is the path of a name in a directory.
func (d Dir) Child(name string) string {
	switch {
	case name == "":
		return d.Path
	case d.Path == "":
		return name
	}
	return d.Path + "/" + name
}

// File is an open file.
type File interface {
	io.Reader
	io.Writer
	// ReadAt reads like io.ReaderAt.
	io.ReaderAt
	// Stat describes the file.
	Stat() (Info, error)
	// Truncate cuts the file to a size in place.
	Truncate(size int64) error
	// Sync makes the content durable.
	Sync() error
	// TryLock takes the exclusive flock, false when another holds it.
	TryLock() (bool, error)
	// Unlock gives the flock back before Close does.
	Unlock() error
	Close() error
}

// Info describes a file.
type Info struct {
	Mode       uint32 // st_mode: type and permissions
	Size       int64
	ModTime    time.Time
	ChangeTime time.Time
	Dev        uint64
	Ino        uint64
}

// IsDir, IsRegular and IsLink tell the type.
func (i Info) IsDir() bool     { return i.Mode&unix.S_IFMT == unix.S_IFDIR }
func (i Info) IsRegular() bool { return i.Mode&unix.S_IFMT == unix.S_IFREG }
func (i Info) IsLink() bool    { return i.Mode&unix.S_IFMT == unix.S_IFLNK }

// same tells whether two descriptions are of one file.
func (i Info) same(o Info) bool { return i.Dev == o.Dev && i.Ino == o.Ino }
