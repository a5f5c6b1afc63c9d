package store

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// NewFile is a File that is being made: what an object needs beside its content.
type NewFile interface {
	ObjectFile
	// SetAttribute sets an extended attribute like fsetxattr(2).
	SetAttribute(name string, value []byte) error
	// Allocate makes room for a content of some bytes without changing the size.
	Allocate(size int64) error
	// SyncData makes the content durable, but not what it is found by.
	SyncData() error
	// LinkInto gives a file without a name one: EEXIST when that is taken.
	LinkInto(at Dir, name string) error
	// Space describes the file's disk.
	Space() (Space, error)
}

// Space is how much room a disk has, in bytes.
type Space struct {
	Free  int64 // for users that are not root
	Total int64
}

// SetAttribute sets an extended attribute.
func (f *osFile) SetAttribute(name string, value []byte) error {
	if err := again(func() error { return unix.Fsetxattr(f.fd, name, value, 0) }); err != nil {
		return fault("setxattr", f.path, err)
	}
	return nil
}

// Allocate reserves room.
func (f *osFile) Allocate(size int64) error {
	if err := again(func() error { return unix.Fallocate(f.fd, unix.FALLOC_FL_KEEP_SIZE, 0, size) }); err != nil {
		return fault("fallocate", f.path, err)
	}
	return nil
}

// SyncData is fdatasync(2).
func (f *osFile) SyncData() error {
	if err := again(func() error { return unix.Fdatasync(f.fd) }); err != nil {
		return fault("fdatasync", f.path, err)
	}
	return nil
}

// LinkInto goes by way of /proc, as linkat(2) says: the direct way is for root only.
func (f *osFile) LinkInto(at Dir, name string) error {
	self := "/proc/self/fd/" + strconv.Itoa(f.fd)
	err := again(func() error { return unix.Linkat(unix.AT_FDCWD, self, at.FD, name, unix.AT_SYMLINK_FOLLOW) })
	return at.fault("link", name, err)
}

// Space asks the file system.
func (f *osFile) Space() (Space, error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(f.fd, &st) }); err != nil {
		return Space{}, fault("statfs", f.path, err)
	}
	return Space{Free: int64(st.Bavail) * st.Frsize, Total: int64(st.Blocks) * st.Frsize}, nil
}
