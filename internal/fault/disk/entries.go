package disk

import (
	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// unnamed is what a file without a name is called in plans, in its directory.
const unnamed = "unnamed"

func (f *FS) Mkdir(at store.Dir, name string) error {
	t, err := f.before("mkdir", at.Child(name))
	if err != nil {
		return err
	}
	defer t.done()
	if err := f.under.Mkdir(at, name); err != nil {
		return err
	}
	f.journal.made(f.device(at), at.Path, name)
	return nil
}

func (f *FS) Rmdir(at store.Dir, name string) error {
	t, err := f.before("rmdir", at.Child(name))
	if err != nil {
		return err
	}
	defer t.done()
	if err := f.under.Rmdir(at, name); err != nil {
		return err
	}
	f.journal.removedDir(f.device(at), at.Path, name)
	return nil
}

func (f *FS) Remove(at store.Dir, name string) error {
	t, err := f.before("remove", at.Child(name))
	if err != nil {
		return err
	}
	defer t.done()
	kept := f.journal.keep(f.root+f.device(at), at.Child(name))
	if err := f.under.Remove(at, name); err != nil {
		kept.drop()
		return err
	}
	f.journal.removed(f.device(at), at.Path, name, kept)
	return nil
}

func (f *FS) Rename(from store.Dir, old string, to store.Dir, name string) error {
	t, err := f.before("rename", to.Child(name))
	if err != nil {
		return err
	}
	defer t.done()
	kept := f.journal.keep(f.root+f.device(to), to.Child(name))
	if err := f.under.Rename(from, old, to, name); err != nil {
		kept.drop()
		return err
	}
	f.journal.renamed(f.device(to), from.Child(old), to.Path, name, kept)
	return nil
}

func (f *FS) Move(from store.Dir, old string, to store.Dir, name string) error {
	t, err := f.before("move", to.Child(name))
	if err != nil {
		return err
	}
	defer t.done()
	if err := f.under.Move(from, old, to, name); err != nil {
		return err
	}
	f.journal.renamed(f.device(to), from.Child(old), to.Path, name, nil)
	return nil
}

func (f *FS) OpenFile(at store.Dir, name string, flags int, perm uint32) (store.File, error) {
	op, path := "open", at.Child(name)
	switch {
	case flags&unix.O_TMPFILE == unix.O_TMPFILE:
		op, path = "tmpfile", at.Child(unnamed)
	case flags&unix.O_CREAT != 0:
		op = "create"
	}
	t, err := f.before(op, path)
	if err != nil {
		return nil, err
	}
	defer t.done()
	isNew := false
	if f.journal.on() && op == "create" {
		_, err := f.under.Stat(at, name, false)
		isNew = err != nil
	}
	under, err := f.under.OpenFile(at, name, flags, perm)
	if err != nil {
		return nil, err
	}
	if isNew {
		f.journal.made(f.device(at), at.Path, name)
	}
	opened := &file{File: under, fs: f, device: f.device(at), path: path}
	if object, ok := under.(store.NewFile); ok {
		return &newFile{file: opened, under: object}, nil
	}
	return opened, nil
}

func (f *FS) device(d store.Dir) string {
	device, _ := f.split(d.Path)
	return device
}
