package simfs

import (
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// Machine is one boot of a computer: mounted disks and a table of open files. It
// implements store.FS.
type Machine struct {
	hooks Hooks

	mu     sync.Mutex
	system *Disk            // of the root directory
	mounts map[*inode]*Disk // by the directory of the system that a disk covers
	under  map[*Disk]*inode // and the way back
	dirs   map[int]*inode
	next   int
	files  map[*file]bool // open
	off    bool           // the power is cut, or the process killed: every call is refused
}

// NewMachine boots a computer from a system disk.
func NewMachine(system *Disk, hooks Hooks) *Machine {
	return &Machine{
		hooks: hooks, system: system, mounts: map[*inode]*Disk{}, under: map[*Disk]*inode{},
		dirs: map[int]*inode{}, next: 3, files: map[*file]bool{},
	}
}

// Mount puts a disk on a directory of the system disk, which is made when missing.
func (m *Machine) Mount(path string, d *Disk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.system.root
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		n := at.entries[name]
		if n == nil {
			n = m.system.inode(typeDir | 0o755)
			n.links, n.parent = 1, at
			at.entries[name], at.safe.entries[name] = n, n
		}
		at = n
	}
	m.mounts[at], m.under[d] = d, at
}

// Unmount takes a disk away, lazily: what is open stays so.
func (m *Machine) Unmount(d *Disk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mounts, m.under[d])
	delete(m.under, d)
}

// Off ends the machine, or the process on it: from now on every call is refused with
// EIO. All that was open is closed, which frees locks and files without a name.
func (m *Machine) Off() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = true
	for f := range m.files {
		f.end()
	}
	clear(m.dirs)
}

// Open is how many files and directories are open.
func (m *Machine) Open() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.dirs) + len(m.files)
}

// enter is the beginning of every call.
func (m *Machine) enter(op, path string) error {
	if m.hooks.Before != nil {
		if err := m.hooks.Before(Call{op, path}); err != nil {
			return fault(op, path, err)
		}
	}
	m.mu.Lock()
	if m.off {
		m.mu.Unlock()
		return fault(op, path, unix.EIO)
	}
	return nil
}

// start is where a name begins. The lock is held.
func (m *Machine) start(at store.Dir, name string) (*inode, error) {
	if strings.HasPrefix(name, "/") {
		return m.system.root, nil
	}
	if at.FD == store.Root.FD {
		return m.system.root, nil
	}
	n := m.dirs[at.FD]
	if n == nil {
		return nil, unix.EBADF
	}
	return n, nil
}

// mounted is what is seen in the place of a directory.
func (m *Machine) mounted(n *inode) *inode {
	if d := m.mounts[n]; d != nil {
		return d.root
	}
	return n
}

// up is the parent of a directory.
func (m *Machine) up(n *inode) *inode {
	if n == n.disk.root {
		if at := m.under[n.disk]; at != nil {
			return at.parent
		}
	}
	return n.parent
}

// spot is where a name stands: its directory, its last part, and what it leads to.
type spot struct {
	dir  *inode
	name string // "" for a directory that has no name from here, as ".." has none
	node *inode // nil: nothing
}

// find resolves a name. follow says whether a link at its end is followed.
func (m *Machine) find(at store.Dir, name string, follow bool) (spot, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return spot{}, unix.EINVAL
	}
	n, err := m.start(at, name)
	if err != nil {
		return spot{}, err
	}
	if name == "" {
		return spot{}, unix.ENOENT
	}
	return m.resolve(n, name, follow, 40)
}

func (m *Machine) resolve(n *inode, path string, follow bool, links int) (spot, error) {
	s := spot{dir: n, node: n}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, name := range parts {
		last := i == len(parts)-1
		if !s.node.isDir() {
			return spot{}, unix.ENOTDIR
		}
		if len(name) > 255 && !s.node.gone() {
			return spot{}, unix.ENAMETOOLONG
		}
		at := s.node
		switch name {
		case ".":
			s = spot{dir: at, node: at}
			continue
		case "..":
			s = spot{dir: at, node: m.up(at)}
			continue
		}
		child := at.entries[name]
		if child != nil {
			child = m.mounted(child)
		}
		s = spot{dir: at, name: name, node: child}
		if child != nil && child.mode&typeMask == typeLink && (!last || follow) {
			if links == 0 {
				return spot{}, unix.ELOOP
			}
			from := at
			if strings.HasPrefix(string(child.data), "/") {
				from = m.system.root
			}
			next, err := m.resolve(from, string(child.data), true, links-1)
			if err != nil {
				return spot{}, err
			}
			s = next
			child = next.node
		}
		if child == nil && !last {
			return spot{}, unix.ENOENT
		}
	}
	return s, nil
}

// existing is find for what must be there.
func (m *Machine) existing(at store.Dir, name string, follow bool) (spot, error) {
	s, err := m.find(at, name, follow)
	if err == nil && s.node == nil {
		err = unix.ENOENT
	}
	return s, err
}

// changeable tells whether a directory can be changed.
func changeable(dir *inode) error {
	switch {
	case dir.disk.ReadOnly:
		return unix.EROFS
	case dir.gone():
		return unix.ENOENT
	}
	return nil
}

// listed are the names of a directory, in order.
func listed(n *inode) []string {
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
