package simfs

import (
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// inode is a file, directory, link or special file. mode has its type.
type inode struct {
	disk    *Disk
	ino     uint64
	mode    uint32
	data    []byte // of a link: where it leads
	attrs   map[string][]byte
	entries map[string]*inode // of a directory
	parent  *inode            // of a directory
	links   int               // names; of a directory 1 while it has its own
	opens   int
	unnamed bool  // it was made without a name and has had none yet
	room    int64 // bytes taken on the disk
	kept    int64 // of them, what fallocate asked for
	mtime   time.Time
	ctime   time.Time
	lock    *file // who holds the flock
	lost    bool  // an fsync has failed: the kernel takes for written what it has given up

	safe durable
}

// durable is what a power cut leaves of an inode.
type durable struct {
	written bool // the file was synced since it was made
	data    []byte
	attrs   map[string][]byte
	entries map[string]*inode
}

func (n *inode) isDir() bool { return n.mode&typeMask == typeDir }

func (n *inode) gone() bool { return n.links == 0 }

func (n *inode) touch() { n.mtime = time.Now(); n.ctime = n.mtime }

// info is stat(2).
func (n *inode) info() store.Info {
	size := int64(len(n.data))
	if n.isDir() {
		size = 6
	}
	return store.Info{Mode: n.mode, Size: size, ModTime: n.mtime, ChangeTime: n.ctime, Dev: n.disk.dev, Ino: n.ino}
}

// sync makes content and attributes durable.
func (n *inode) sync() {
	n.safe.written = true
	n.safe.data = slices.Clone(n.data)
	n.safe.attrs = maps.Clone(n.attrs)
}

// clean tells whether the content is durable as it is seen.
func (n *inode) clean() bool {
	return n.safe.written && slices.Equal(n.data, n.safe.data) &&
		maps.EqualFunc(n.attrs, n.safe.attrs, func(a, b []byte) bool { return slices.Equal(a, b) })
}

// resize accounts for a size that a file is about to have: ENOSPC when there is no room.
func (n *inode) resize(size int64) error {
	want := max(size, n.kept)
	if grow := want - n.room; grow > 0 && n.disk.used+grow > n.disk.size {
		return unix.ENOSPC
	}
	n.disk.used += want - n.room
	n.room = want
	return nil
}

// let gives the room of a file back that nobody can reach any more.
func (n *inode) let() {
	if n.links == 0 && n.opens == 0 {
		n.disk.used -= n.room
		n.room, n.kept = 0, 0
	}
}
