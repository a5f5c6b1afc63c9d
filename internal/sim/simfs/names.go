package simfs

import (
	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// Remove implements store.FS.
func (m *Machine) Remove(at store.Dir, name string) error {
	path := at.Child(name)
	if err := m.enter("unlink", path); err != nil {
		return err
	}
	err := m.remove(at, name)
	m.mu.Unlock()
	if err != nil {
		return fault("unlink", path, err)
	}
	m.tell("unlink", path)
	return nil
}

func (m *Machine) remove(at store.Dir, name string) error {
	s, err := m.existing(at, name, false)
	switch {
	case err != nil:
		return err
	case s.node.isDir():
		return unix.EISDIR
	case s.dir.disk.ReadOnly:
		return unix.EROFS
	}
	s.dir.disk.apply(change{set: []entry{{s.dir, s.name, nil}}})
	return nil
}

func (m *Machine) tell(op, path string) {
	if m.hooks.Gone != nil {
		m.hooks.Gone(Call{op, path})
	}
}

// Rename implements store.FS.
func (m *Machine) Rename(from store.Dir, old string, to store.Dir, name string) error {
	return m.move(from, old, to, name, true)
}

// Move implements store.FS.
func (m *Machine) Move(from store.Dir, old string, to store.Dir, name string) error {
	return m.move(from, old, to, name, false)
}

func (m *Machine) move(from store.Dir, old string, to store.Dir, name string, replace bool) error {
	path := from.Child(old)
	if err := m.enter("rename", path); err != nil {
		return err
	}
	err := m.rename(from, old, to, name, replace)
	m.mu.Unlock()
	if err != nil {
		return fault("rename", path, err)
	}
	m.tell("rename", path)
	return nil
}

func (m *Machine) rename(from store.Dir, old string, to store.Dir, name string, replace bool) error {
	a, err := m.find(from, old, false)
	if err != nil {
		return err
	}
	b, err := m.find(to, name, false)
	switch {
	case err != nil:
		return err
	case a.dir.disk != b.dir.disk:
		return unix.EXDEV
	case a.dir.disk.ReadOnly:
		return unix.EROFS
	case a.node == nil:
		return unix.ENOENT
	case a.name == "" || b.name == "":
		return unix.EBUSY
	case b.node != nil && !replace:
		return unix.EEXIST
	case b.dir.gone():
		return unix.ENOENT
	case a.node == b.node:
		return nil
	}
	for up := b.dir; up != up.parent; up = up.parent {
		if up == a.node {
			return unix.EINVAL
		}
	}
	for up := a.dir; up != up.parent; up = up.parent {
		if up == b.node {
			return unix.ENOTEMPTY // what is to be moved is in it
		}
	}
	if err := replaceable(a.node, b.node); err != nil {
		return err
	}
	c := change{set: []entry{{a.dir, a.name, nil}, {b.dir, b.name, a.node}}}
	if b.node != nil && b.node.isDir() {
		c.dead = b.node
	}
	moved := a.node
	a.dir.disk.apply(c)
	moved.ctime = b.dir.ctime
	return nil
}

// replaceable tells whether a rename may put one thing in the place of another.
func replaceable(n, over *inode) error {
	switch {
	case over == nil:
	case n.isDir() && !over.isDir():
		return unix.ENOTDIR
	case !n.isDir() && over.isDir():
		return unix.EISDIR
	case over.isDir() && len(over.entries) > 0:
		return unix.ENOTEMPTY
	}
	return nil
}
