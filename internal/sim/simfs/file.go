package simfs

import (
	"io"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// file is an open file.
type file struct {
	machine *Machine
	node    *inode
	path    string
	label   string // path and number: two that are open are never called the same
	flags   int
	at      int64
	closed  bool
}

var _ store.NewFile = (*file)(nil)

// OpenFile implements store.FS.
func (m *Machine) OpenFile(at store.Dir, name string, flags int, perm uint32) (store.File, error) {
	path := at.Child(name)
	op := "open"
	if flags&(unix.O_CREAT|unix.O_TMPFILE&^unix.O_DIRECTORY) != 0 {
		op = "create"
	}
	if err := m.enter(op, path); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	n, err := m.openFile(at, name, flags, perm)
	if err != nil {
		return nil, fault("open", path, err)
	}
	n.opens++
	m.next++
	f := &file{machine: m, node: n, path: path, label: path + "#" + strconv.Itoa(m.next), flags: flags}
	m.files[f] = true
	return f, nil
}

func (m *Machine) openFile(at store.Dir, name string, flags int, perm uint32) (*inode, error) {
	s, err := m.find(at, name, false)
	if err != nil {
		return nil, err
	}
	writes := flags&unix.O_ACCMODE != unix.O_RDONLY
	if flags&unix.O_TMPFILE == unix.O_TMPFILE {
		return s.unnamed(perm)
	}
	n := s.node
	switch {
	case n == nil && flags&unix.O_CREAT == 0:
		return nil, unix.ENOENT
	case n == nil:
		return s.create(perm)
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL:
		return nil, unix.EEXIST
	case n.mode&typeMask == typeLink && flags&unix.O_DIRECTORY != 0:
		return nil, unix.ENOTDIR
	case n.mode&typeMask == typeLink:
		return nil, unix.ELOOP
	case n.isDir() && (writes || flags&unix.O_CREAT != 0):
		return nil, unix.EISDIR
	case !n.isDir() && flags&unix.O_DIRECTORY != 0:
		return nil, unix.ENOTDIR
	case writes && n.disk.ReadOnly:
		return nil, unix.EROFS
	case writes && n.mode&typeMask != typeFile:
		return nil, unix.ENXIO
	}
	if flags&unix.O_TRUNC != 0 && writes {
		n.data, n.kept = nil, 0
		n.touch()
		_ = n.resize(0)
	}
	return n, nil
}

// create makes a file under a name.
func (s spot) create(perm uint32) (*inode, error) {
	if err := changeable(s.dir); err != nil {
		return nil, err
	}
	d := s.dir.disk
	if d.used+blockSize > d.size {
		return nil, unix.ENOSPC
	}
	n := d.inode(typeFile | perm&^0o022)
	d.apply(change{set: []entry{{s.dir, s.name, n}}})
	return n, nil
}

// unnamed makes a file without a name.
func (s spot) unnamed(perm uint32) (*inode, error) {
	switch {
	case s.node == nil:
		return nil, unix.ENOENT
	case !s.node.isDir():
		return nil, unix.ENOTDIR
	case s.node.disk.NoTmp:
		return nil, unix.EOPNOTSUPP
	}
	if err := changeable(s.node); err != nil {
		return nil, err
	}
	d := s.node.disk
	if d.used+blockSize > d.size {
		return nil, unix.ENOSPC
	}
	n := d.inode(typeFile | perm&^0o022)
	n.unnamed = true
	return n, nil
}

func (f *file) enter(op string) error {
	if err := f.machine.enter(op, f.label); err != nil {
		return err
	}
	if f.closed {
		f.machine.mu.Unlock()
		return fault(op, f.path, unix.EBADF)
	}
	return nil
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.enter("read"); err != nil {
		return 0, err
	}
	defer f.machine.mu.Unlock()
	n, err := f.read(p, f.at)
	f.at += int64(n)
	return n, err
}

func (f *file) read(p []byte, at int64) (int, error) {
	switch {
	case f.node.isDir():
		return 0, fault("read", f.path, unix.EISDIR)
	case f.flags&unix.O_ACCMODE == unix.O_WRONLY:
		return 0, fault("read", f.path, unix.EBADF)
	case len(p) == 0:
		return 0, nil
	case at >= int64(len(f.node.data)):
		return 0, io.EOF
	}
	return copy(p, f.node.data[at:]), nil
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if err := f.enter("read"); err != nil {
		return 0, err
	}
	defer f.machine.mu.Unlock()
	n, err := f.read(p, at)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *file) Write(p []byte) (int, error) {
	if err := f.enter("write"); err != nil {
		return 0, err
	}
	defer f.machine.mu.Unlock()
	n := f.node
	switch {
	case f.flags&unix.O_ACCMODE == unix.O_RDONLY:
		return 0, fault("write", f.path, unix.EBADF)
	case n.disk.ReadOnly:
		return 0, fault("write", f.path, unix.EROFS)
	}
	at := f.at
	if f.flags&unix.O_APPEND != 0 {
		at = int64(len(n.data))
	}
	fits := int64(len(p))
	if err := n.resize(max(int64(len(n.data)), at+fits)); err != nil {
		fits = min(fits, max(0, n.room+n.disk.Room()-at)) // a part, as the kernel does
		if fits <= 0 || n.resize(max(int64(len(n.data)), at+fits)) != nil {
			return 0, fault("write", f.path, err)
		}
	}
	if grow := at + fits - int64(len(n.data)); grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
	}
	copy(n.data[at:], p[:fits])
	f.at = at + fits
	n.touch()
	if fits < int64(len(p)) {
		return int(fits), fault("write", f.path, unix.ENOSPC)
	}
	return int(fits), nil
}

func (f *file) Stat() (store.Info, error) {
	if err := f.enter("stat"); err != nil {
		return store.Info{}, err
	}
	defer f.machine.mu.Unlock()
	return f.node.info(), nil
}

func (f *file) Truncate(size int64) error {
	if err := f.enter("truncate"); err != nil {
		return err
	}
	defer f.machine.mu.Unlock()
	n := f.node
	switch {
	case f.flags&unix.O_ACCMODE == unix.O_RDONLY:
		return fault("truncate", f.path, unix.EINVAL)
	case n.disk.ReadOnly:
		return fault("truncate", f.path, unix.EROFS)
	}
	n.kept = min(n.kept, size)
	if err := n.resize(size); err != nil {
		return fault("truncate", f.path, err)
	}
	if grow := size - int64(len(n.data)); grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
	}
	n.data = slices.Clone(n.data[:size])
	n.touch()
	return nil
}
