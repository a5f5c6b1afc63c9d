// Package hang mounts a folder somewhere else, through FUSE, and can make every call
// on the mount hang for ever, in the kernel as a dead disk does: the thread that made
// it cannot be killed.
package hang

import (
	"fmt"
	"sync"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Mount is a mounted folder. It hangs no longer than this process lives: with it the
// kernel ends all calls.
type Mount struct {
	target string
	gate   *gate
}

// New mounts source at target, an empty folder, for all users.
func New(source, target string) (*Mount, error) {
	root, err := fs.NewLoopbackRoot(source)
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", target, err)
	}
	m := &Mount{target: target, gate: &gate{open: closed()}}
	raw := fs.NewNodeFS(root, &fs.Options{}) // no timeouts: the kernel asks at every call
	server, err := fuse.NewServer(&disk{raw, m.gate}, target, &fuse.MountOptions{
		FsName: "bench", Name: "hang", AllowOther: true, DirectMountStrict: true,
		Options: []string{"default_permissions"},
	})
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", target, err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return nil, fmt.Errorf("mount %s: %w", target, err)
	}
	return m, nil
}

// Hang makes every call from now on hang until Resume.
func (m *Mount) Hang() { m.gate.shut() }

// Resume lets all that hang go on.
func (m *Mount) Resume() { m.gate.clear() }

// Close unmounts. It does not wait for those who still have files open on the mount,
// or a copy of it in a mount namespace of their own.
func (m *Mount) Close() error {
	m.Resume()
	if err := unix.Unmount(m.target, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", m.target, err)
	}
	return nil
}

// gate is open or shut.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while the gate is open
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
		g.open = make(chan struct{})
	default:
	}
}

func (g *gate) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

// pass waits for the gate. It heeds no interrupt: a disk does not either.
func (g *gate) pass() {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	<-open
}

// disk is a file system with a gate before every call that a replicator can make
// without having an earlier one answered.
type disk struct {
	fuse.RawFileSystem
	gate *gate
}

func (d *disk) Lookup(c <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.Lookup(c, h, name, out)
}

func (d *disk) GetAttr(c <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.GetAttr(c, in, out)
}

func (d *disk) Statx(c <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.Statx(c, in, out)
}

func (d *disk) StatFs(c <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.StatFs(c, in, out)
}

func (d *disk) Open(c <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.Open(c, in, out)
}

func (d *disk) OpenDir(c <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.OpenDir(c, in, out)
}

func (d *disk) Create(c <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.Create(c, in, name, out)
}

func (d *disk) Tmpfile(c <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.Tmpfile(c, in, out)
}

func (d *disk) Read(c <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	d.gate.pass()
	return d.RawFileSystem.Read(c, in, buf)
}

func (d *disk) ReadDir(c <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.ReadDir(c, in, out)
}

func (d *disk) ReadDirPlus(c <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.ReadDirPlus(c, in, out)
}

func (d *disk) Write(c <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	d.gate.pass()
	return d.RawFileSystem.Write(c, in, data)
}

func (d *disk) Fsync(c <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	d.gate.pass()
	return d.RawFileSystem.Fsync(c, in)
}
