package disk

import (
	"io"
	"io/fs"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// file is an open file. It has no Descriptor: whoever reads it has to come by here.
type file struct {
	store.File
	fs     *FS
	device string
	path   string
	torn   atomic.Bool // nothing that is written arrives any more
}

func (f *file) before(op string) (turn, error) { return f.fs.before(op, f.path) }

func (f *file) Read(p []byte) (int, error) {
	t, err := f.before("read")
	if err != nil {
		return 0, err
	}
	defer t.done()
	if t.verb == "short" && len(p) > 1 {
		p = p[:len(p)/2]
	}
	n, err := f.File.Read(p)
	t.flip(p[:max(n, 0)])
	return n, err
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	t, err := f.before("read")
	if err != nil {
		return 0, err
	}
	defer t.done()
	n, err := f.File.ReadAt(p, at)
	if t.verb == "short" && n > 1 {
		n, err = n/2, io.EOF
	}
	t.flip(p[:max(n, 0)])
	return n, err
}

// flip turns one bit, if that is the fault.
func (t turn) flip(p []byte) {
	if t.verb == "flip" && len(p) > 0 {
		bit := t.hit.Draw % uint64(8*len(p))
		p[bit/8] ^= 1 << (bit % 8)
	}
}

func (f *file) Write(p []byte) (int, error) {
	t, err := f.before("write")
	if err != nil {
		return 0, err
	}
	defer t.done()
	f.fs.journal.wrote(f, f.path)
	switch {
	case f.torn.Load():
		return len(p), nil
	case t.verb == "torn":
		f.torn.Store(true)
		if _, err := f.File.Write(p[:len(p)/2]); err != nil {
			return 0, err
		}
		return len(p), nil
	case t.verb == "short":
		n, err := f.File.Write(p[:len(p)/2])
		if err == nil {
			err = &fs.PathError{Op: "write", Path: f.path, Err: unix.ENOSPC}
		}
		return n, err
	}
	return f.File.Write(p)
}

func (f *file) Stat() (store.Info, error) {
	t, err := f.before("fstat")
	if err != nil {
		return store.Info{}, err
	}
	defer t.done()
	return f.File.Stat()
}

func (f *file) Truncate(size int64) error {
	return f.run("truncate", func() error { return f.File.Truncate(size) })
}

func (f *file) Sync() error { return f.sync("sync", f.File.Sync) }

func (f *file) sync(op string, do func() error) error {
	t, err := f.before(op)
	if err != nil {
		return err
	}
	defer t.done()
	if t.verb == "lie" {
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	f.fs.journal.clean(f)
	return nil
}

// run is a call whose only faults are those that come before it.
func (f *file) run(op string, do func() error) error {
	t, err := f.before(op)
	if err != nil {
		return err
	}
	defer t.done()
	return do()
}

func (f *file) TryLock() (got bool, err error) {
	err = f.run("lock", func() (err error) { got, err = f.File.TryLock(); return err })
	return got, err
}

func (f *file) Unlock() error { return f.run("unlock", f.File.Unlock) }

// Close closes the file in any case, as close(2) does when it fails.
func (f *file) Close() error {
	t, err := f.before("close")
	closed := f.File.Close()
	if f.name() == unnamed {
		f.fs.journal.clean(f)
	}
	if err != nil {
		return err
	}
	defer t.done()
	return closed
}

func (f *file) name() string { return f.path[strings.LastIndexByte(f.path, '/')+1:] }
