package store

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// OS returns the real file system.
func OS() FS { return osFS{} }

type osFS struct{}

// fault dresses an errno up with what was tried.
func fault(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// again repeats a system call that a signal interrupted: the Go runtime sends
// itself signals, and FUSE and NFS answer them with EINTR.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func openAt(at Dir, name string, flags int, perm uint32) (int, error) {
	for {
		fd, err := unix.Openat(at.FD, name, flags|unix.O_CLOEXEC, perm)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW

func (osFS) OpenDir(at Dir, name string, follow bool) (Dir, error) {
	flags := dirFlags
	if follow {
		flags &^= unix.O_NOFOLLOW
	}
	path := at.Child(name)
	fd, err := openAt(at, name, flags, 0)
	if err != nil {
		return Dir{}, fault("open", path, err)
	}
	return Dir{FD: fd, Path: path}, nil
}

func (osFS) SyncDir(d Dir) error {
	if err := again(func() error { return unix.Fsync(d.FD) }); err != nil {
		return fault("fsync", d.Path, err)
	}
	return nil
}

func (osFS) CloseDir(d Dir) error {
	if err := unix.Close(d.FD); err != nil {
		return fault("close", d.Path, err)
	}
	return nil
}

func (osFS) Stat(at Dir, name string, follow bool) (Info, error) {
	var st unix.Stat_t
	err := again(func() error {
		if name == "" {
			return unix.Fstat(at.FD, &st)
		}
		flags := unix.AT_SYMLINK_NOFOLLOW
		if follow {
			flags = 0
		}
		return unix.Fstatat(at.FD, name, &st, flags)
	})
	if err != nil {
		return Info{}, fault("stat", at.Child(name), err)
	}
	return info(&st), nil
}

func info(st *unix.Stat_t) Info {
	return Info{
		Mode: st.Mode, Size: st.Size, ModTime: time.Unix(st.Mtim.Unix()), ChangeTime: time.Unix(st.Ctim.Unix()),
		Dev: uint64(st.Dev), Ino: st.Ino, //nolint:unconvert // Dev is 32 bits wide on some platforms
	}
}

func (osFS) Mkdir(at Dir, name string) error {
	return at.fault("mkdir", name, again(func() error { return unix.Mkdirat(at.FD, name, 0o777) }))
}

func (osFS) Rmdir(at Dir, name string) error {
	return at.fault("rmdir", name, again(func() error { return unix.Unlinkat(at.FD, name, unix.AT_REMOVEDIR) }))
}

func (osFS) Remove(at Dir, name string) error {
	return at.fault("unlink", name, again(func() error { return unix.Unlinkat(at.FD, name, 0) }))
}

func (osFS) Rename(from Dir, old string, to Dir, name string) error {
	return from.fault("rename", old, again(func() error { return unix.Renameat(from.FD, old, to.FD, name) }))
}

func (osFS) Move(from Dir, old string, to Dir, name string) error {
	err := again(func() error { return unix.Renameat2(from.FD, old, to.FD, name, unix.RENAME_NOREPLACE) })
	if err == unix.EINVAL || err == unix.ENOSYS {
		// A file system without the flag: look first. Only other quarantines write there.
		var st unix.Stat_t
		switch err = unix.Fstatat(to.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
		case nil:
			err = unix.EEXIST
		case unix.ENOENT:
			err = unix.Renameat(from.FD, old, to.FD, name)
		}
	}
	return from.fault("rename", old, err)
}

func (d Dir) fault(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fault(op, d.Child(name), err)
}
