package simfs

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

func (f *file) Sync() error     { return f.sync("fsync") }
func (f *file) SyncData() error { return f.sync("fdatasync") }

func (f *file) sync(op string) error {
	if err := f.enter(op); err != nil {
		if errors.Is(err, ErrLost) {
			f.machine.mu.Lock()
			defer f.machine.mu.Unlock()
			f.node.lost = true
			err = fault(op, f.path, unix.EIO)
		}
		return err
	}
	defer f.machine.mu.Unlock()
	switch {
	case f.node.isDir():
		f.node.disk.syncDir(f.node)
	case !f.node.lost:
		f.node.sync()
	}
	return nil
}

func (f *file) TryLock() (bool, error) {
	if err := f.enter("flock"); err != nil {
		return false, err
	}
	defer f.machine.mu.Unlock()
	if holder := f.node.lock; holder != nil && holder != f {
		return false, nil
	}
	f.node.lock = f
	return true, nil
}

func (f *file) Unlock() error {
	if err := f.enter("unlock"); err != nil {
		return err
	}
	defer f.machine.mu.Unlock()
	f.release()
	return nil
}

func (f *file) release() {
	if f.node.lock == f {
		f.node.lock = nil
	}
}

// Close gives the file back. It is no point at which anything else happens.
func (f *file) Close() error {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	if f.closed {
		return fault("close", f.path, unix.EBADF)
	}
	f.end()
	return nil
}

func (f *file) end() {
	f.closed = true
	f.release()
	delete(f.machine.files, f)
	f.node.opens--
	f.node.let()
}

// Attribute implements store.ObjectFile.
func (f *file) Attribute(name string, into []byte) (int, error) {
	if err := f.enter("getxattr"); err != nil {
		return 0, err
	}
	defer f.machine.mu.Unlock()
	value, ok := f.node.attrs[name]
	switch {
	case !ok:
		return 0, fault("getxattr", f.path, unix.ENODATA)
	case len(into) == 0:
		return len(value), nil
	case len(value) > len(into):
		return 0, fault("getxattr", f.path, unix.ERANGE)
	}
	return copy(into, value), nil
}

// SetAttribute implements store.NewFile.
func (f *file) SetAttribute(name string, value []byte) error {
	if err := f.enter("setxattr"); err != nil {
		return err
	}
	defer f.machine.mu.Unlock()
	if f.node.disk.ReadOnly {
		return fault("setxattr", f.path, unix.EROFS)
	}
	f.node.attrs[name] = slices.Clone(value)
	return nil
}

// Allocate implements store.NewFile.
func (f *file) Allocate(size int64) error {
	if err := f.enter("fallocate"); err != nil {
		return err
	}
	defer f.machine.mu.Unlock()
	was := f.node.kept
	f.node.kept = max(was, size)
	if err := f.node.resize(int64(len(f.node.data))); err != nil {
		f.node.kept = was
		return fault("fallocate", f.path, err)
	}
	return nil
}

// LinkInto implements store.NewFile.
func (f *file) LinkInto(at store.Dir, name string) error {
	path := at.Child(name)
	if err := f.enter("link"); err != nil {
		return err
	}
	defer f.machine.mu.Unlock()
	s, err := f.machine.find(at, name, false)
	if err == nil && s.node == nil {
		err = changeable(s.dir) // before all else, as where the kernel looks the name up
	}
	switch {
	case err != nil:
	case s.node != nil:
		err = unix.EEXIST
	case s.dir.disk != f.node.disk:
		err = unix.EXDEV
	case f.node.isDir():
		err = unix.EPERM
	case f.node.links == 0 && !f.node.unnamed:
		err = unix.ENOENT // it had a name, and lost it
	}
	if err != nil {
		return fault("link", path, err)
	}
	f.node.unnamed = false
	s.dir.disk.apply(change{set: []entry{{s.dir, s.name, f.node}}})
	return nil
}

// Space implements store.NewFile.
func (f *file) Space() (store.Space, error) {
	if err := f.enter("statfs"); err != nil {
		return store.Space{}, err
	}
	defer f.machine.mu.Unlock()
	d := f.node.disk
	return store.Space{Free: max(0, d.Room()), Total: d.size}, nil
}
