// Package simfs is a file system in memory that stands below internal/store in
// simulations. It keeps for every file and directory what is durable beside what
// is seen, so that a power cut can take the difference away.
//
// A Disk outlives machines. A Machine is one boot: a table of open files over
// mounted disks. What is unknown to POSIX stays as Linux has it on XFS.
package simfs

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// Call is one thing that is about to be done to a file system.
type Call struct {
	Op   string // of the system call: "open", "write", "rename" …
	Path string // absolute; of an open file with "#" and its number
}

// ErrLost is for Before: an fsync of a file fails with EIO, and its content never gets to
// the disk, though later ones succeed. As in Linux since 4.13.
var ErrLost = errors.New("content is lost")

// Hooks stand before and behind every call. Both may be nil.
type Hooks struct {
	// Before may block, and may refuse with a unix.Errno.
	Before func(Call) error
	// Gone is told of each file that has lost a name, by unlink or rename, after it
	// was done and before anything else is.
	Gone func(Call)
}

func fault(op, path string, errno error) error { return &fs.PathError{Op: op, Path: path, Err: errno} }

// The file types of the kernel.
const (
	typeDir  = unix.S_IFDIR
	typeFile = unix.S_IFREG
	typeLink = unix.S_IFLNK
	typeMask = unix.S_IFMT
)

var _ store.FS = (*Machine)(nil)
