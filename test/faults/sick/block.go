package sick

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// sector is what survives a power cut or does not, as a whole.
const sector = 4096

// Block is an XFS on a disk that has a cache of its own and can lose its power: what
// was not flushed is lost then, or a part of it. The disk is a file that this process
// serves by FUSE, and the kernel's loop device makes a disk of it.
type Block struct {
	*XFS
	medium *medium
	server *fuse.Server
	at     string // where the file is seen
	file   string // the file behind
}

// NewBlock makes a disk whose files are in dir, and mounts it at a path, whose owner
// and mode its root gets.
func NewBlock(ctx context.Context, dir, path string) (*Block, error) {
	b := &Block{at: filepath.Join(dir, "medium"), file: filepath.Join(dir, "image")}
	f, err := os.OpenFile(b.file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	b.medium = &medium{f: f, dirty: map[int64][]byte{}}
	if err := errors.Join(f.Truncate(smallest), os.Mkdir(b.at, 0o755)); err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	b.server, err = fs.Mount(b.at, &shelf{medium: b.medium}, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, AllowOther: true, FsName: "medium", Name: "medium",
		DisabledCapabilities: fuse.CAP_PASSTHROUGH,
	}})
	if err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	b.XFS, err = newXFSOn(ctx, filepath.Join(b.at, "disk"), path)
	return b, err
}

// Cut takes the power off: of what was not flushed so many percent of the sectors are
// kept, which follows from the seed. Every call fails until Power.
func (b *Block) Cut(seed uint64, percent int) { b.medium.cut(seed, percent) }

// Lost is how many sectors all cuts have lost.
func (b *Block) Lost() int {
	b.medium.mu.Lock()
	defer b.medium.mu.Unlock()
	return b.medium.lost
}

// CutAt is a Cut at a later write of the kernel's, counted from this call. It returns
// at once.
func (b *Block) CutAt(write int, seed uint64, percent int) {
	b.medium.mu.Lock()
	defer b.medium.mu.Unlock()
	b.medium.armed, b.medium.seed, b.medium.percent = write, seed, percent
}

// Writes is how many writes have reached the disk.
func (b *Block) Writes() int {
	b.medium.mu.Lock()
	defer b.medium.mu.Unlock()
	return b.medium.writes
}

// Power brings a disk back after a Cut: unmounted and mounted again, so that its file
// system repairs itself from its log.
func (b *Block) Power(ctx context.Context) error {
	if err := b.Unmount(ctx); err != nil {
		return err
	}
	b.medium.revive()
	return b.Mount(ctx)
}

// Close unmounts the disk and removes its file.
func (b *Block) Close(ctx context.Context) error {
	b.medium.revive()
	var err error
	if mounted(ctx, b.Path) {
		err = b.Unmount(ctx)
	}
	return errors.Join(err, b.server.Unmount(), b.medium.f.Close(), os.Remove(b.file))
}

// medium is the disk: a file, and before it a cache that a power cut empties.
type medium struct {
	fs.Inode
	f     *os.File
	mu    sync.Mutex
	dirty map[int64][]byte // sectors that were not flushed, by offset
	off   bool

	writes  int
	lost    int // sectors, by all cuts
	armed   int // writes until a cut; 0: there is none to come
	seed    uint64
	percent int
}

var (
	_ fs.NodeGetattrer = (*medium)(nil)
	_ fs.NodeSetattrer = (*medium)(nil)
	_ fs.NodeOpener    = (*medium)(nil)
	_ fs.NodeReader    = (*medium)(nil)
	_ fs.NodeWriter    = (*medium)(nil)
	_ fs.NodeFsyncer   = (*medium)(nil)
	_ fs.NodeAllocater = (*medium)(nil)
)

// Getattr implements fs.NodeGetattrer.
func (m *medium) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size, out.Nlink, out.Blocks = fuse.S_IFREG|0o600, smallest, 1, smallest/512
	return 0
}

// Setattr implements fs.NodeSetattrer: nothing of it can be changed.
func (m *medium) Setattr(ctx context.Context, h fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return m.Getattr(ctx, h, out)
}

// Open implements fs.NodeOpener. Nothing of it is cached by the kernel.
func (m *medium) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

// Read implements fs.NodeReader.
func (m *medium) Read(_ context.Context, _ fs.FileHandle, p []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return nil, syscall.EIO
	}
	n, err := m.f.ReadAt(p, at)
	if n == 0 && err != nil {
		return nil, fs.ToErrno(err)
	}
	p = p[:n]
	for s := at / sector * sector; s < at+int64(n); s += sector {
		held, ok := m.dirty[s]
		switch {
		case !ok:
		case s >= at:
			copy(p[s-at:], held)
		default:
			copy(p, held[at-s:])
		}
	}
	return fuse.ReadResultData(p), 0
}

// Write implements fs.NodeWriter.
func (m *medium) Write(_ context.Context, _ fs.FileHandle, p []byte, at int64) (uint32, syscall.Errno) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return 0, syscall.EIO
	}
	for done := int64(0); done < int64(len(p)); {
		s := (at + done) / sector * sector
		held := m.dirty[s]
		if held == nil {
			held = make([]byte, sector)
			if _, err := m.f.ReadAt(held, s); err != nil {
				return uint32(done), fs.ToErrno(err)
			}
			m.dirty[s] = held
		}
		done += int64(copy(held[at+done-s:], p[done:]))
	}
	m.writes++
	if m.armed > 0 {
		if m.armed--; m.armed == 0 {
			m.cutNow(m.seed, m.percent)
		}
	}
	return uint32(len(p)), 0
}

// Fsync implements fs.NodeFsyncer: the cache is flushed.
func (m *medium) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return syscall.EIO
	}
	for s, held := range m.dirty {
		if _, err := m.f.WriteAt(held, s); err != nil {
			return fs.ToErrno(err)
		}
	}
	clear(m.dirty)
	return 0
}

// Allocate implements fs.NodeAllocater: holes are not punched.
func (m *medium) Allocate(context.Context, fs.FileHandle, uint64, uint64, uint32) syscall.Errno {
	return syscall.EOPNOTSUPP
}

func (m *medium) cut(seed uint64, percent int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cutNow(seed, percent)
}

// cutNow is cut for who holds the lock.
func (m *medium) cutNow(seed uint64, percent int) {
	lost := 0
	rnd := rand.New(rand.NewPCG(seed, 0))
	sectors := make([]int64, 0, len(m.dirty))
	for s := range m.dirty {
		sectors = append(sectors, s)
	}
	slices.Sort(sectors)
	for _, s := range sectors {
		if rnd.IntN(100) >= percent {
			lost++
		} else if _, err := m.f.WriteAt(m.dirty[s], s); err != nil {
			panic(fmt.Sprintf("keep a sector of %s: %v", m.f.Name(), err)) // the cut would be another one
		}
	}
	clear(m.dirty)
	m.off, m.armed = true, 0
	m.lost += lost
}

func (m *medium) revive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off, m.armed = false, 0
}

// shelf is the folder that the medium is in.
type shelf struct {
	fs.Inode
	medium *medium
}

// OnAdd implements fs.NodeOnAdder.
func (s *shelf) OnAdd(ctx context.Context) {
	s.AddChild("disk", s.NewPersistentInode(ctx, s.medium, fs.StableAttr{Mode: fuse.S_IFREG}), true)
}
