package store

import (
	"errors"

	"golang.org/x/sys/unix"

	"understudy/internal/zoo"
	"understudy/messages"
)

func (in *Incoming) tmpDir() string { return messages.TmpDir(in.place.Policy) }

func (in *Incoming) unmounted() error {
	path := in.DevicePath(in.place.Device)
	return &messages.DeviceError{Device: in.place.Device, Message: path + " is not mounted"}
}

// hashPlace is an open hash directory and the suffix that it is in.
type hashPlace struct {
	suffix, hash Dir
	name         string
	made         [2]bool // each of them, now
}

func (p *hashPlace) close(fs FS) {
	fs.CloseDir(p.hash)
	fs.CloseDir(p.suffix)
}

// enter opens an object's directory, making it and its suffix when missing.
func (in *Incoming) enter(hash string) (*hashPlace, error) {
	p := &hashPlace{name: hash}
	var err error
	for range linkAttempts {
		if p.suffix, p.made[0], err = in.enterDir(in.dir, hash[29:]); err != nil {
			return nil, err
		}
		p.hash, p.made[1], err = in.enterDir(p.suffix, hash)
		if err == nil {
			return p, nil
		}
		in.fs.CloseDir(p.suffix)
		if !is(err, unix.ENOENT) { // somebody has removed the empty suffix
			break
		}
	}
	return nil, err
}

// enterDir is makeDir that tells whether it has made anything.
func (in *Incoming) enterDir(at Dir, name string) (Dir, bool, error) {
	d, err := in.fs.OpenDir(at, name, false)
	if !is(err, unix.ENOENT) {
		return d, false, err
	}
	err = in.fs.Mkdir(at, name)
	made := err == nil
	if err != nil && !is(err, unix.EEXIST) {
		return Dir{}, false, err
	}
	d, err = in.fs.OpenDir(at, name, false)
	return d, made, err
}

// reachable tells whether an open hash directory is still what its path leads to. One
// that was moved away meanwhile, to the quarantine perhaps, takes a new name as
// willingly as before, but nobody would find it there.
func (in *Incoming) reachable(p *hashPlace) (bool, error) {
	own, err := in.fs.Stat(p.hash, "", false)
	if err != nil {
		return false, err
	}
	i, err := in.fs.Stat(in.dir, p.name[29:]+"/"+p.name, false)
	if is(err, unix.ENOENT, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil || !i.same(own) {
		return false, err
	}
	ok, err := in.inPlace()
	if err == nil && !ok {
		err = errors.New("the partition was removed while it was written to")
	}
	return ok, err
}

// settle makes durable that a hash directory's files are found: its own entries, and
// the directories that lead there. Their makers may have been others, who have not
// synced them yet.
//
// Unlike Swift: it syncs only the directories that the same request has made, so not
// the partition, which the lock has made; and it ignores errors.
func (in *Incoming) settle(p *hashPlace) error {
	if zoo.Bug("no-dir-fsync") {
		return nil
	}
	if err := in.fs.SyncDir(p.hash); err != nil {
		return err
	}
	if err := in.fs.SyncDir(p.suffix); err != nil {
		return err
	}
	suffix := p.name[29:]
	if p.made[0] || !in.known[suffix] {
		if err := in.fs.SyncDir(in.dir); err != nil {
			return err
		}
		in.known[suffix] = true
	}
	if in.anchored {
		return nil
	}
	objects, err := in.fs.OpenDir(in.device, messages.ObjectsDir(in.place.Policy), false)
	if err != nil {
		return err
	}
	err = errors.Join(in.fs.SyncDir(objects), in.fs.CloseDir(objects), in.fs.SyncDir(in.device))
	in.anchored = err == nil
	return err
}
