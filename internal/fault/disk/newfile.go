package disk

import (
	"understudy/internal/store"
)

// newFile is a file of a file system that knows attributes.
type newFile struct {
	*file
	under store.NewFile
}

func (f *newFile) Attribute(name string, into []byte) (int, error) {
	t, err := f.before("getxattr")
	if err != nil {
		return 0, err
	}
	defer t.done()
	n, err := f.under.Attribute(name, into)
	if err == nil && t.verb == "short" {
		n /= 2
	}
	if len(into) > 0 && n > 0 {
		t.flip(into[:n])
	}
	return n, err
}

func (f *newFile) SetAttribute(name string, value []byte) error {
	return f.run("setxattr", func() error { return f.under.SetAttribute(name, value) })
}

func (f *newFile) Allocate(size int64) error {
	return f.run("allocate", func() error { return f.under.Allocate(size) })
}

func (f *newFile) SyncData() error { return f.sync("syncdata", f.under.SyncData) }

// LinkInto gives the file its name; events are of that name from then on.
func (f *newFile) LinkInto(at store.Dir, name string) error {
	t, err := f.fs.before("link", at.Child(name))
	if err != nil {
		return err
	}
	defer t.done()
	if err := f.under.LinkInto(at, name); err != nil {
		return err
	}
	f.fs.journal.made(f.device, at.Path, name)
	f.fs.journal.named(f.file, at.Child(name))
	f.path = at.Child(name)
	return nil
}

func (f *newFile) Space() (space store.Space, err error) {
	err = f.run("space", func() (err error) { space, err = f.under.Space(); return err })
	return space, err
}
