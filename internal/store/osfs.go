package store

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OS returns the real file system.
func OS() FS { return osFS{} }

type osFS struct{}

// fault dresses an errno up with what was tried.
func fault(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// again repeats a system call that a signal interrupted: the Go runtime sends
// itself signals, and FUSE and NFS answer them with EINTR.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func openAt(at Dir, name string, flags int, perm uint32) (int, error) {
	for {
		fd, err := unix.Openat(at.FD, name, flags|unix.O_CLOEXEC, perm)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW

func (osFS) OpenDir(at Dir, name string, follow bool) (Dir, error) {
	flags := dirFlags
	if follow {
		flags &^= unix.O_NOFOLLOW
	}
	path := at.Child(name)
	fd, err := openAt(at, name, flags, 0)
	if err != nil {
		return Dir{}, fault("open", path, err)
	}
	return Dir{FD: fd, Path: path}, nil
}

// room is the memory of one ReadDir. It is used again: hashing a disk reads a
// directory for every object on it, and so leaves little to the garbage collector.
type room struct {
	name    [256]byte      // of the directory, ended by a NUL
	dirents [32 << 10]byte // a batch of entries as the kernel writes them
	names   []byte         // the batch's names, one after the other
	ends    []int          // where each of them ends
}

var rooms = sync.Pool{New: func() any { return new(room) }}

// open is openat(2) of a directory without following a link. The name is put where
// the kernel can read it without a copy being allocated.
func (r *room) open(at Dir, name string) (int, error) {
	if len(name) >= len(r.name) || strings.IndexByte(name, 0) >= 0 {
		return openAt(at, name, dirFlags, 0)
	}
	r.name[copy(r.name[:], name)] = 0
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(at.FD), uintptr(unsafe.Pointer(&r.name[0])),
			dirFlags|unix.O_CLOEXEC, 0, 0, 0)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR:
			continue
		}
		return -1, errno
	}
}

func (osFS) ReadDir(at Dir, name string, into []string) ([]string, error) {
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	fd := at.FD
	if name != "" {
		var err error
		if fd, err = r.open(at, name); err != nil {
			return into, fault("open", at.Child(name), err)
		}
		defer unix.Close(fd)
	} else if _, err := unix.Seek(fd, 0, 0); err != nil {
		return into, fault("seek", at.Path, err)
	}
	for {
		n, err := unix.Getdents(fd, r.dirents[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return into, fault("readdir", at.Child(name), err)
		case n == 0:
			// Only an empty batch is the end: an error after some entries shows in the
			// call after that which returned them.
			return into, nil
		}
		var ok bool
		if into, ok = r.appendNames(into, r.dirents[:n]); !ok {
			return into, fault("readdir", at.Child(name), unix.EIO)
		}
	}
}

// appendNames cuts the names out of a batch of struct linux_dirent64: inode 8
// bytes, offset 8, record length 2, type 1, name to a NUL. The names of a batch
// share one piece of memory. False when the batch makes no sense.
func (r *room) appendNames(into []string, batch []byte) ([]string, bool) {
	const lengthAt, nameAt = 16, 19
	r.names, r.ends = r.names[:0], r.ends[:0]
	for len(batch) > 0 {
		if len(batch) < nameAt {
			return into, false
		}
		length := int(binary.NativeEndian.Uint16(batch[lengthAt:]))
		if length < nameAt || length > len(batch) {
			return into, false
		}
		name := batch[nameAt:length]
		batch = batch[length:]
		end := bytes.IndexByte(name, 0)
		if end < 0 {
			return into, false
		}
		if name = name[:end]; string(name) != "." && string(name) != ".." {
			r.names = append(r.names, name...)
			r.ends = append(r.ends, len(r.names))
		}
	}
	names, start := string(r.names), 0
	for _, end := range r.ends {
		into = append(into, names[start:end])
		start = end
	}
	return into, true
}

func (osFS) SyncDir(d Dir) error {
	if err := again(func() error { return unix.Fsync(d.FD) }); err != nil {
		return fault("fsync", d.Path, err)
	}
	return nil
}

func (osFS) CloseDir(d Dir) error {
	if err := unix.Close(d.FD); err != nil {
		return fault("close", d.Path, err)
	}
	return nil
}

func (osFS) Stat(at Dir, name string, follow bool) (Info, error) {
	var st unix.Stat_t
	err := again(func() error {
		if name == "" {
			return unix.Fstat(at.FD, &st)
		}
		flags := unix.AT_SYMLINK_NOFOLLOW
		if follow {
			flags = 0
		}
		return unix.Fstatat(at.FD, name, &st, flags)
	})
	if err != nil {
		return Info{}, fault("stat", at.Child(name), err)
	}
	return info(&st), nil
}

func info(st *unix.Stat_t) Info {
	return Info{
		Mode: st.Mode, Size: st.Size, ModTime: time.Unix(st.Mtim.Unix()),
		Dev: uint64(st.Dev), Ino: st.Ino, //nolint:unconvert // Dev is 32 bits wide on some platforms
	}
}

func (osFS) Mkdir(at Dir, name string) error {
	return at.fault("mkdir", name, again(func() error { return unix.Mkdirat(at.FD, name, 0o777) }))
}

func (osFS) Rmdir(at Dir, name string) error {
	return at.fault("rmdir", name, again(func() error { return unix.Unlinkat(at.FD, name, unix.AT_REMOVEDIR) }))
}

func (osFS) Remove(at Dir, name string) error {
	return at.fault("unlink", name, again(func() error { return unix.Unlinkat(at.FD, name, 0) }))
}

func (osFS) Rename(from Dir, old string, to Dir, name string) error {
	return from.fault("rename", old, again(func() error { return unix.Renameat(from.FD, old, to.FD, name) }))
}

func (osFS) Move(from Dir, old string, to Dir, name string) error {
	err := again(func() error { return unix.Renameat2(from.FD, old, to.FD, name, unix.RENAME_NOREPLACE) })
	if err == unix.EINVAL || err == unix.ENOSYS {
		// A file system without the flag: look first. Only other quarantines write there.
		var st unix.Stat_t
		switch err = unix.Fstatat(to.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
		case nil:
			err = unix.EEXIST
		case unix.ENOENT:
			err = unix.Renameat(from.FD, old, to.FD, name)
		}
	}
	return from.fault("rename", old, err)
}

func (d Dir) fault(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fault(op, d.Child(name), err)
}
