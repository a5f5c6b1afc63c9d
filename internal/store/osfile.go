package store

import (
	"io"

	"golang.org/x/sys/unix"
)

// osFile is a plain descriptor. It is no os.File: that would put it under the
// runtime's poller and close it by finalizer.
type osFile struct {
	fd   int
	path string
}

func (osFS) OpenFile(at Dir, name string, flags int, perm uint32) (File, error) {
	path := at.Child(name)
	fd, err := openAt(at, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, perm)
	if err != nil {
		return nil, fault("open", path, err)
	}
	return &osFile{fd: fd, path: path}, nil
}

// count turns the answer of read(2) into that of an io.Reader.
func (f *osFile) count(n int, err error, wanted int) (int, error) {
	switch {
	case err != nil:
		return 0, fault("read", f.path, err)
	case n == 0 && wanted > 0:
		return 0, io.EOF
	}
	return n, nil
}

func (f *osFile) Read(p []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Read(f.fd, p); return err })
	return f.count(n, err, len(p))
}

func (f *osFile) ReadAt(p []byte, at int64) (done int, err error) {
	for done < len(p) {
		var n int
		err = again(func() error { n, err = unix.Pread(f.fd, p[done:], at+int64(done)); return err })
		if n, err = f.count(n, err, len(p)-done); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

func (f *osFile) Write(p []byte) (done int, err error) {
	for done < len(p) {
		var n int
		err = again(func() error { n, err = unix.Write(f.fd, p[done:]); return err })
		if err != nil {
			return done, fault("write", f.path, err)
		}
		if n == 0 {
			return done, fault("write", f.path, io.ErrShortWrite)
		}
		done += n
	}
	return done, nil
}

func (f *osFile) Stat() (Info, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return Info{}, fault("stat", f.path, err)
	}
	return info(&st), nil
}

func (f *osFile) Truncate(size int64) error {
	if err := again(func() error { return unix.Ftruncate(f.fd, size) }); err != nil {
		return fault("truncate", f.path, err)
	}
	return nil
}

func (f *osFile) Sync() error {
	if err := again(func() error { return unix.Fsync(f.fd) }); err != nil {
		return fault("fsync", f.path, err)
	}
	return nil
}

func (f *osFile) TryLock() (bool, error) {
	err := again(func() error { return unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB) })
	switch err {
	case nil:
		return true, nil
	case unix.EWOULDBLOCK:
		return false, nil
	}
	return false, fault("flock", f.path, err)
}

func (f *osFile) Unlock() error {
	if err := again(func() error { return unix.Flock(f.fd, unix.LOCK_UN) }); err != nil {
		return fault("flock", f.path, err)
	}
	return nil
}

func (f *osFile) Close() error {
	if err := unix.Close(f.fd); err != nil {
		return fault("close", f.path, err)
	}
	return nil
}
