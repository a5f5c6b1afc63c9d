package simfs

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// blockSize is what an entry of a directory costs.
const blockSize = 64

// Disk is a file system. It belongs to one machine at a time, whose lock guards it.
type Disk struct {
	Name     string
	ReadOnly bool // every change is refused with EROFS
	NoTmp    bool // no files without a name: EOPNOTSUPP

	dev  uint64
	next uint64
	root *inode
	size int64 // bytes; files do not get more in all
	used int64
	log  []change // of directories, not yet durable, in order
}

// NewDisk makes an empty disk with room for size bytes. dev tells it from others.
func NewDisk(name string, dev uint64, size int64) *Disk {
	d := &Disk{Name: name, dev: dev, size: size}
	d.root = d.inode(typeDir | 0o755)
	d.root.parent, d.root.links = d.root, 1
	return d
}

// Room is how many bytes are free.
func (d *Disk) Room() int64 { return d.size - d.used }

// SetSize changes how much fits. What is there stays.
func (d *Disk) SetSize(size int64) { d.size = size }

// Used is how many bytes the files take.
func (d *Disk) Used() int64 { return d.used }

func (d *Disk) inode(mode uint32) *inode {
	d.next++
	now := time.Now()
	n := &inode{disk: d, ino: d.next, mode: mode, mtime: now, ctime: now, attrs: map[string][]byte{}}
	if n.isDir() {
		n.entries = map[string]*inode{}
		n.safe.entries = map[string]*inode{}
	}
	return n
}

// change is one change of directories, which happens in whole or not at all.
type change struct {
	set  []entry
	dead *inode // a directory that was removed: all of its own changes come before
}

// entry is what a name in a directory leads to from now on; nil for nothing.
type entry struct {
	dir  *inode
	name string
	to   *inode
}

// apply does a change to what is seen and notes it.
func (d *Disk) apply(c change) {
	for _, e := range c.set {
		was := e.dir.entries[e.name]
		if e.to == nil {
			delete(e.dir.entries, e.name)
		} else {
			e.dir.entries[e.name] = e.to
			e.to.links++
			if e.to.isDir() {
				e.to.links, e.to.parent = 1, e.dir
			}
		}
		if was != nil && was != e.to {
			d.unlinked(was, c)
		}
		e.dir.touch()
	}
	d.log = append(d.log, c)
}

// unlinked takes a name away from an inode, unless the change gives a directory
// another one.
func (d *Disk) unlinked(n *inode, c change) {
	if n.isDir() {
		for _, e := range c.set {
			if e.to == n {
				return
			}
		}
		n.links = 0
		return
	}
	n.links--
	n.ctime = time.Now()
	n.let()
}

// syncDir makes all changes of a directory durable, and what they stand on.
func (d *Disk) syncDir(dir *inode) {
	need := map[*inode]bool{dir: true}
	names := map[entry]bool{} // without to
	flush := make([]bool, len(d.log))
	for i := len(d.log) - 1; i >= 0; i-- {
		c := d.log[i]
		for _, e := range c.set {
			if need[e.dir] || names[entry{dir: e.dir, name: e.name}] {
				flush[i] = true
			}
		}
		if !flush[i] {
			continue
		}
		for _, e := range c.set {
			names[entry{dir: e.dir, name: e.name}] = true
		}
		if c.dead != nil {
			need[c.dead] = true
		}
	}
	rest := d.log[:0]
	for i, c := range d.log {
		if flush[i] {
			c.commit()
		} else {
			rest = append(rest, c)
		}
	}
	clear(d.log[len(rest):])
	d.log = rest
}

func (c change) commit() {
	for _, e := range c.set {
		if e.to == nil {
			delete(e.dir.safe.entries, e.name)
		} else {
			e.dir.safe.entries[e.name] = e.to
		}
	}
}

// walk finds a path below the root, as it is seen or as it is durable. Links are
// not followed.
func (d *Disk) walk(path string, safe bool) *inode {
	n := d.root
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		entries := n.entries
		if safe {
			entries = n.safe.entries
		}
		if n = entries[name]; n == nil {
			return nil
		}
	}
	return n
}

// Names are those in a directory, in order; nil when there is none. It is for
// onlookers while no call is under way, as are the following.
func (d *Disk) Names(path string) []string {
	n := d.walk(path, false)
	if n == nil || !n.isDir() {
		return nil
	}
	return sortedNames(n.entries)
}

// Look is what an onlooker sees of a file.
type Look struct {
	Mode  uint32
	Data  []byte
	Attrs map[string][]byte
	Clean bool // its content is durable
	Safe  bool // a power cut right now leaves it as it is, and under this path
	Age   time.Duration
}

// Look describes a file or directory; false when there is none.
func (d *Disk) Look(path string) (Look, bool) {
	n := d.walk(path, false)
	if n == nil {
		return Look{}, false
	}
	clean := n.isDir() || n.clean()
	return Look{n.mode, n.data, n.attrs, clean, clean && d.walk(path, true) == n, time.Since(n.mtime)}, true
}

// Durable is Look after a power cut that keeps nothing which was not synced.
func (d *Disk) Durable(path string) (Look, bool) {
	n := d.walk(path, true)
	if n == nil {
		return Look{}, false
	}
	return Look{n.mode, n.safe.data, n.safe.attrs, true, true, time.Since(n.mtime)}, true
}

// DurableNames are those in a directory after such a power cut.
func (d *Disk) DurableNames(path string) []string {
	n := d.walk(path, true)
	if n == nil || !n.isDir() {
		return nil
	}
	return sortedNames(n.safe.entries)
}

// Damage changes a file's content on the disk itself, as bad sectors do.
func (d *Disk) Damage(path string, f func(data []byte) []byte) bool {
	n := d.walk(path, false)
	if n == nil || n.mode&typeMask != typeFile {
		return false
	}
	n.data = f(slices.Clone(n.data))
	n.safe.data = slices.Clone(n.data)
	_ = n.resize(int64(len(n.data)))
	return true
}

// Drop takes a file or a directory and all below it away, durably.
func (d *Disk) Drop(path string) {
	path = strings.Trim(path, "/")
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	at := d.walk(dir, false)
	if at == nil || at.entries[name] == nil {
		return
	}
	n := at.entries[name]
	delete(at.entries, name)
	delete(at.safe.entries, name)
	d.dropped(n)
}

func (d *Disk) dropped(n *inode) {
	if !n.isDir() {
		n.links--
		n.let()
		return
	}
	n.links = 0
	for _, child := range n.entries {
		d.dropped(child)
	}
	clear(n.entries)
	clear(n.safe.entries)
}

// Wipe makes the disk an empty one, as a new one in its place.
func (d *Disk) Wipe() {
	d.root = d.inode(typeDir | 0o755)
	d.root.parent, d.root.links = d.root, 1
	d.used, d.log = 0, nil
}

// Plant makes a file or directory (nil data), durable, with the directories that
// lead to it.
func (d *Disk) Plant(path string, mode uint32, data []byte, attrs map[string][]byte, mtime time.Time) error {
	at := d.root
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, name := range parts {
		n := at.entries[name]
		last := i == len(parts)-1
		if n == nil {
			kind := uint32(typeDir | 0o755)
			if last {
				kind = mode
			}
			n = d.inode(kind)
			n.links, n.parent = 1, at
			at.entries[name], at.safe.entries[name] = n, n
		}
		if last && !n.isDir() {
			n.data, n.attrs = slices.Clone(data), attrs
			if n.attrs == nil {
				n.attrs = map[string][]byte{}
			}
			if err := n.resize(int64(len(data))); err != nil {
				return err
			}
			n.sync()
		}
		if last {
			n.mtime, n.ctime = mtime, mtime
			return nil
		}
		if !n.isDir() {
			return unix.ENOTDIR
		}
		at = n
	}
	return nil
}
