package lab

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// HasXattrs tells whether files of a folder can have user xattrs, in which Swift
// keeps an object's metadata. An error means that the folder cannot be used at all.
func HasXattrs(dir string) (bool, error) {
	f, err := os.CreateTemp(dir, ".understudy-xattr-*")
	if err != nil {
		return false, fmt.Errorf("try extended attributes: %w", err)
	}
	err = unix.Fsetxattr(int(f.Fd()), "user.understudy", []byte("?"), 0)
	cleanup := errors.Join(f.Close(), os.Remove(f.Name()))
	switch {
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EPERM):
		return false, cleanup
	case err != nil:
		return false, errors.Join(fmt.Errorf("set an extended attribute in %s: %w", dir, err), cleanup)
	}
	return true, cleanup
}
