package sick

import "github.com/hanwen/go-fuse/v2/fuse"

// gated is a file system whose calls pass a gate first: all that reads or changes what
// is on the disk. What only gives something back passes by, and statfs, which a sick
// disk's kernel still answers.
type gated struct {
	fuse.RawFileSystem
	gate *gate
}

func (g *gated) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Lookup(cancel, header, name, out)
}

func (g *gated) GetAttr(cancel <-chan struct{}, input *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.GetAttr(cancel, input, out)
}

func (g *gated) SetAttr(cancel <-chan struct{}, input *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.SetAttr(cancel, input, out)
}

func (g *gated) Mkdir(cancel <-chan struct{}, input *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Mkdir(cancel, input, name, out)
}

func (g *gated) Unlink(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Unlink(cancel, header, name)
}

func (g *gated) Rmdir(cancel <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Rmdir(cancel, header, name)
}

func (g *gated) Rename(cancel <-chan struct{}, input *fuse.RenameIn, oldName string, newName string) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Rename(cancel, input, oldName, newName)
}

func (g *gated) Link(cancel <-chan struct{}, input *fuse.LinkIn, filename string, out *fuse.EntryOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Link(cancel, input, filename, out)
}

func (g *gated) GetXAttr(cancel <-chan struct{}, header *fuse.InHeader, attr string, dest []byte) (uint32, fuse.Status) {
	if s := g.gate.pass(); !s.Ok() {
		return 0, s
	}
	return g.RawFileSystem.GetXAttr(cancel, header, attr, dest)
}

func (g *gated) ListXAttr(cancel <-chan struct{}, header *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	if s := g.gate.pass(); !s.Ok() {
		return 0, s
	}
	return g.RawFileSystem.ListXAttr(cancel, header, dest)
}

func (g *gated) SetXAttr(cancel <-chan struct{}, input *fuse.SetXAttrIn, attr string, data []byte) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.SetXAttr(cancel, input, attr, data)
}

func (g *gated) RemoveXAttr(cancel <-chan struct{}, header *fuse.InHeader, attr string) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.RemoveXAttr(cancel, header, attr)
}

func (g *gated) Create(cancel <-chan struct{}, input *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Create(cancel, input, name, out)
}

func (g *gated) Tmpfile(cancel <-chan struct{}, input *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Tmpfile(cancel, input, out)
}

func (g *gated) Open(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Open(cancel, input, out)
}

func (g *gated) Read(cancel <-chan struct{}, input *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if s := g.gate.pass(); !s.Ok() {
		return nil, s
	}
	return g.RawFileSystem.Read(cancel, input, buf)
}

func (g *gated) Write(cancel <-chan struct{}, input *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if s := g.gate.pass(); !s.Ok() {
		return 0, s
	}
	return g.RawFileSystem.Write(cancel, input, data)
}

func (g *gated) Writev(cancel <-chan struct{}, input *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	if s := g.gate.pass(); !s.Ok() {
		return 0, s
	}
	return g.RawFileSystem.Writev(cancel, input, data)
}

func (g *gated) Flush(cancel <-chan struct{}, input *fuse.FlushIn) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Flush(cancel, input)
}

func (g *gated) Fsync(cancel <-chan struct{}, input *fuse.FsyncIn) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Fsync(cancel, input)
}

func (g *gated) Fallocate(cancel <-chan struct{}, input *fuse.FallocateIn) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Fallocate(cancel, input)
}

func (g *gated) OpenDir(cancel <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.OpenDir(cancel, input, out)
}

func (g *gated) ReadDir(cancel <-chan struct{}, input *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.ReadDir(cancel, input, out)
}

func (g *gated) ReadDirPlus(cancel <-chan struct{}, input *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.ReadDirPlus(cancel, input, out)
}

func (g *gated) FsyncDir(cancel <-chan struct{}, input *fuse.FsyncIn) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.FsyncDir(cancel, input)
}

func (g *gated) Statx(cancel <-chan struct{}, input *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	if s := g.gate.pass(); !s.Ok() {
		return s
	}
	return g.RawFileSystem.Statx(cancel, input, out)
}
