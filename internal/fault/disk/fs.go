// Package disk makes a file system fail as a fault plan says.
package disk

import (
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
	"understudy/internal/fault/failpoint"
	"understudy/internal/store"
)

// Config says whose disks a file system has.
type Config struct {
	Root    string // the devices directory: what is below it has a device
	Journal bool   // keep what a crash needs, also when the plan in force names none
}

// FS is a store.FS over another one. The faults of a call come before the call itself;
// points of Process come before both.
type FS struct {
	under   store.FS
	faults  *fault.Injector
	root    string
	journal *journal
}

// New puts the faults of a plan before a file system.
func New(under store.FS, faults *fault.Injector, c Config) *FS {
	return &FS{under: under, faults: faults, root: strings.TrimSuffix(c.Root, "/") + "/", journal: newJournal(faults, c.Journal)}
}

// turn is a call that is let through, perhaps with a fault in it.
type turn struct {
	verb string
	hit  fault.Hit
	done func()
}

// before waits, fails or dies as the plan says. Any verb that is left is the call's to do.
func (f *FS) before(op, path string) (turn, error) {
	device, rest := f.split(path)
	e := fault.Event{Place: fault.Process, Op: op, Device: device, Path: rest}
	t := turn{done: failpoint.Reach(f.faults, &e)}
	if f.journal.isDown(device) {
		return t, &fs.PathError{Op: op, Path: path, Err: unix.EIO}
	}
	e.Place = fault.Disk
	h, ok := f.faults.At(&e)
	if !ok {
		return t, nil
	}
	switch h.Verb {
	case "error":
		return t, &fs.PathError{Op: op, Path: path, Err: h.Errno()}
	case "delay":
		f.faults.Delay(h, nil)
	case "hang":
		f.faults.Hold(h, nil, nil)
	case "crash":
		f.fail(device, h)
		return t, &fs.PathError{Op: op, Path: path, Err: unix.EIO}
	default:
		t.verb, t.hit = h.Verb, h
	}
	return t, nil
}

// split cuts an absolute path into the device and what is below it.
func (f *FS) split(path string) (device, rest string) {
	below, ok := strings.CutPrefix(path, f.root)
	if !ok {
		return "", path
	}
	device, rest, _ = strings.Cut(below, "/")
	return device, rest
}

// OpenDir implements store.FS, like the other methods.
func (f *FS) OpenDir(at store.Dir, name string, follow bool) (store.Dir, error) {
	t, err := f.before("opendir", at.Child(name))
	if err != nil {
		return store.Dir{}, err
	}
	defer t.done()
	return f.under.OpenDir(at, name, follow)
}

func (f *FS) ReadDir(at store.Dir, name string, into []string) ([]string, error) {
	t, err := f.before("readdir", at.Child(name))
	if err != nil {
		return into, err
	}
	defer t.done()
	before := len(into)
	into, err = f.under.ReadDir(at, name, into)
	if t.verb == "short" && err == nil {
		return into[:before+(len(into)-before)/2], &fs.PathError{Op: "readdir", Path: at.Child(name), Err: unix.EIO}
	}
	return into, err
}

func (f *FS) EachName(at store.Dir, name string, batch func(names []string) error) error {
	t, err := f.before("readdir", at.Child(name))
	if err != nil {
		return err
	}
	defer t.done()
	return f.under.EachName(at, name, func(names []string) error {
		if t.verb != "short" {
			return batch(names)
		}
		if half := names[:len(names)/2]; len(half) > 0 {
			if err := batch(half); err != nil {
				return err
			}
		}
		return &fs.PathError{Op: "readdir", Path: at.Child(name), Err: unix.EIO}
	})
}

func (f *FS) SyncDir(d store.Dir) error {
	t, err := f.before("syncdir", d.Path)
	if err != nil {
		return err
	}
	defer t.done()
	if t.verb == "lie" {
		return nil
	}
	if err := f.under.SyncDir(d); err != nil {
		return err
	}
	f.journal.synced(d.Path)
	return nil
}

func (f *FS) CloseDir(d store.Dir) error {
	t, err := f.before("closedir", d.Path)
	closed := f.under.CloseDir(d) // in any case: nobody closes twice
	if err != nil {
		return err
	}
	defer t.done()
	return closed
}

func (f *FS) Stat(at store.Dir, name string, follow bool) (store.Info, error) {
	t, err := f.before("stat", at.Child(name))
	if err != nil {
		return store.Info{}, err
	}
	defer t.done()
	return f.under.Stat(at, name, follow)
}
