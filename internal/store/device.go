package store

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"understudy/internal/zoo"
	"understudy/messages"
)

// Check tells whether a device can be worked on: *messages.DeviceError if not.
// Swift: common/constraints.py check_drive.
func (s *Store) Check(ctx context.Context, device string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := s.check(device)
	return err
}

// check also describes the directory that the device's path leads to.
func (s *Store) check(device string) (Info, error) {
	refuse := func(why string, err error) (Info, error) {
		return Info{}, &messages.DeviceError{Device: device, Message: why, Err: err}
	}
	if !validDevice(device) {
		return refuse(device+" is not a valid drive name", nil)
	}
	path := s.DevicePath(device)
	if !s.mountCheck || zoo.Bug("no-mount-check") {
		i, err := s.fs.Stat(Root, path, true)
		if err != nil || !i.IsDir() {
			return refuse(path+" is not a directory", err)
		}
		return i, nil
	}
	i, mounted, err := s.isMount(path)
	if !mounted {
		return refuse(path+" is not mounted", err)
	}
	return i, nil
}

// isMount tells whether a device's path is a mount point: on another file system
// than its parent, or marked by a file .ismount. A symbolic link is one only by the
// mark. Swift: common/utils ismount_raw.
func (s *Store) isMount(path string) (Info, bool, error) {
	i, err := s.fs.Stat(Root, path, false)
	if err != nil {
		return Info{}, false, err
	}
	if !i.IsLink() {
		parent, err := s.fs.Stat(Root, path+"/..", false)
		if err != nil {
			return Info{}, false, err
		}
		if i.Dev != parent.Dev {
			return i, true, nil
		}
	}
	mark, err := s.fs.Stat(Root, path+"/.ismount", true)
	if err != nil || !mark.IsRegular() {
		if is(err, unix.ENOENT) {
			err = nil // the ordinary answer, and no cause of anything
		}
		return Info{}, false, err
	}
	if i.IsLink() {
		i, err = s.fs.Stat(Root, path, true)
	}
	return i, err == nil, err
}

// validDevice tells whether a name can be a device's: one path element that URL
// quoting leaves alone.
//
// Unlike Swift: the empty name, "." and ".." are refused too. They are
// directories, but no devices.
func validDevice(name string) bool {
	if name == "" || name == "." || name == ".." {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '.', c == '-', c == '~':
		default:
			return false
		}
	}
	return true
}

// openDevice opens a device and then verifies it. The order matters: as long as
// the directory is open its disk cannot be unmounted, and a disk that came or went
// between the two calls shows by another inode.
func (s *Store) openDevice(ctx context.Context, device string) (Dir, error) {
	if err := ctx.Err(); err != nil {
		return Dir{}, err
	}
	if !validDevice(device) {
		_, err := s.check(device)
		return Dir{}, err
	}
	path := s.DevicePath(device)
	d, openErr := s.fs.OpenDir(Root, path, true)
	want, err := s.check(device)
	if openErr != nil {
		if err == nil {
			err = fmt.Errorf("open device %s: %w", device, openErr)
		}
		return Dir{}, err
	}
	if err == nil {
		var got Info
		if got, err = s.fs.Stat(d, "", false); err == nil && !got.same(want) {
			err = &messages.DeviceError{Device: device, Message: path + " is not mounted"}
		}
	}
	if err != nil {
		s.fs.CloseDir(d)
		return Dir{}, err
	}
	return d, nil
}

// makeDir opens a directory, making it when it is missing.
func (s *Store) makeDir(at Dir, name string) (Dir, error) {
	d, err := s.fs.OpenDir(at, name, false)
	if !is(err, unix.ENOENT) {
		return d, err
	}
	if err := s.fs.Mkdir(at, name); err != nil && !is(err, unix.EEXIST) {
		return Dir{}, err
	}
	return s.fs.OpenDir(at, name, false)
}
