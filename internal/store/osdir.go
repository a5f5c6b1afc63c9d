package store

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// room is the memory of one reading of a directory. It is used again: hashing a disk reads a
// directory for every object on it, and so leaves little to the garbage collector.
type room struct {
	name    [256]byte      // of the directory, ended by a NUL
	dirents [32 << 10]byte // a batch of entries as the kernel writes them
	names   []byte         // the batch's names, one after the other
	ends    []int          // where each of them ends
	batch   []string       // them again, for EachName
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
	err := r.read(at, name, func(dirents []byte) (ok bool, err error) {
		into, ok = r.appendNames(into, dirents)
		return ok, nil
	})
	return into, err
}

func (osFS) EachName(at Dir, name string, batch func(names []string) error) error {
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	return r.read(at, name, func(dirents []byte) (ok bool, err error) {
		r.batch, ok = r.appendNames(r.batch[:0], dirents)
		if ok && len(r.batch) > 0 {
			err = batch(r.batch)
		}
		clear(r.batch) // the names would stay in memory with the room
		return ok, err
	})
}

// read hands a directory to a function, a batch of entries at a time. The function
// tells whether the batch makes sense; its error ends the reading and is returned.
func (r *room) read(at Dir, name string, each func(dirents []byte) (bool, error)) error {
	fd := at.FD
	if name != "" {
		var err error
		if fd, err = r.open(at, name); err != nil {
			return fault("open", at.Child(name), err)
		}
		defer unix.Close(fd)
	} else if _, err := unix.Seek(fd, 0, 0); err != nil {
		return fault("seek", at.Path, err)
	}
	for {
		n, err := unix.Getdents(fd, r.dirents[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fault("readdir", at.Child(name), err)
		case n == 0:
			// Only an empty batch is the end: an error after some entries shows in the
			// call after that which returned them.
			return nil
		}
		ok, err := each(r.dirents[:n])
		if !ok {
			return fault("readdir", at.Child(name), unix.EIO)
		}
		if err != nil {
			return err
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
