package simfs

import (
	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// openDir opens a directory, without a gate.
func (m *Machine) openDir(at store.Dir, name string, follow bool) (*inode, error) {
	s, err := m.existing(at, name, follow)
	switch {
	case err != nil:
		return nil, err
	case !s.node.isDir():
		return nil, unix.ENOTDIR
	}
	return s.node, nil
}

// OpenDir implements store.FS.
func (m *Machine) OpenDir(at store.Dir, name string, follow bool) (store.Dir, error) {
	path := at.Child(name)
	if err := m.enter("open", path); err != nil {
		return store.Dir{}, err
	}
	defer m.mu.Unlock()
	n, err := m.openDir(at, name, follow)
	if err != nil {
		return store.Dir{}, fault("open", path, err)
	}
	m.next++
	m.dirs[m.next] = n
	return store.Dir{FD: m.next, Path: path}, nil
}

// ReadDir implements store.FS. Names come in order.
func (m *Machine) ReadDir(at store.Dir, name string, into []string) ([]string, error) {
	path := at.Child(name)
	if err := m.enter("readdir", path); err != nil {
		return into, err
	}
	defer m.mu.Unlock()
	n, err := m.reading(at, name)
	if err != nil {
		return into, fault("open", path, err)
	}
	return append(into, listed(n)...), nil
}

func (m *Machine) reading(at store.Dir, name string) (*inode, error) {
	if name != "" {
		return m.openDir(at, name, false)
	}
	n := m.dirs[at.FD]
	if n == nil {
		return nil, unix.EBADF
	}
	return n, nil
}

// EachName implements store.FS.
func (m *Machine) EachName(at store.Dir, name string, batch func([]string) error) error {
	const few = 4
	names, err := m.ReadDir(at, name, nil)
	if err != nil {
		return err
	}
	for len(names) > 0 {
		n := min(few, len(names))
		if err := batch(names[:n:n]); err != nil {
			return err
		}
		if names = names[n:]; len(names) == 0 {
			break
		}
		if err := m.enter("readdir", at.Child(name)); err != nil {
			return err
		}
		m.mu.Unlock()
	}
	return nil
}

// SyncDir implements store.FS.
func (m *Machine) SyncDir(d store.Dir) error {
	if err := m.enter("syncdir", d.Path); err != nil {
		return err
	}
	defer m.mu.Unlock()
	n := m.dirs[d.FD]
	if n == nil {
		return fault("fsync", d.Path, unix.EBADF)
	}
	if !n.disk.ReadOnly {
		n.disk.syncDir(n)
	}
	return nil
}

// CloseDir implements store.FS. It is no point at which anything else happens.
func (m *Machine) CloseDir(d store.Dir) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirs[d.FD] == nil {
		return fault("close", d.Path, unix.EBADF)
	}
	delete(m.dirs, d.FD)
	return nil
}

// Stat implements store.FS.
func (m *Machine) Stat(at store.Dir, name string, follow bool) (store.Info, error) {
	path := at.Child(name)
	if err := m.enter("stat", path); err != nil {
		return store.Info{}, err
	}
	defer m.mu.Unlock()
	if name == "" {
		n := m.dirs[at.FD]
		if n == nil {
			return store.Info{}, fault("stat", path, unix.EBADF)
		}
		return n.info(), nil
	}
	s, err := m.existing(at, name, follow)
	if err != nil {
		return store.Info{}, fault("stat", path, err)
	}
	return s.node.info(), nil
}

// Mkdir implements store.FS.
func (m *Machine) Mkdir(at store.Dir, name string) error {
	path := at.Child(name)
	if err := m.enter("mkdir", path); err != nil {
		return err
	}
	defer m.mu.Unlock()
	s, err := m.find(at, name, false)
	switch {
	case err != nil:
	case s.node != nil:
		err = unix.EEXIST
	default:
		err = changeable(s.dir)
	}
	disk := (*Disk)(nil)
	if err == nil {
		disk = s.dir.disk
		if disk.used+blockSize > disk.size {
			err = unix.ENOSPC
		}
	}
	if err != nil {
		return fault("mkdir", path, err)
	}
	disk.apply(change{set: []entry{{s.dir, s.name, disk.inode(typeDir | 0o755)}}})
	return nil
}

// Rmdir implements store.FS.
func (m *Machine) Rmdir(at store.Dir, name string) error {
	path := at.Child(name)
	if err := m.enter("rmdir", path); err != nil {
		return err
	}
	defer m.mu.Unlock()
	s, err := m.existing(at, name, false)
	switch {
	case err != nil:
	case !s.node.isDir():
		err = unix.ENOTDIR
	case s.name == "":
		err = unix.EINVAL
	case s.node == s.node.disk.root:
		err = unix.EBUSY
	case s.dir.disk.ReadOnly:
		err = unix.EROFS
	case len(s.node.entries) > 0:
		err = unix.ENOTEMPTY
	}
	if err != nil {
		return fault("rmdir", path, err)
	}
	s.dir.disk.apply(change{set: []entry{{s.dir, s.name, nil}}, dead: s.node})
	return nil
}
