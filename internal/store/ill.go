package store

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errOtherBytes says that a disk does not keep what is written to it.
var errOtherBytes = errors.New("probe read back other bytes than it wrote")

// illnesses are the errnos with which a disk says that it is ill itself: whatever
// is asked of it next will likely fail, too. ENODATA, with which Linux also tells of
// a bad sector, is not among them: it is the ordinary answer for an attribute that
// a file does not have.
var illnesses = []unix.Errno{
	unix.EIO,
	unix.EUCLEAN,      // a damaged file system: XFS and ext4 call it EFSCORRUPTED
	unix.EBADMSG,      // a bad checksum of its own data: EFSBADCRC
	unix.ENXIO,        // the device is gone
	unix.ENODEV,       // the same
	unix.ENOMEDIUM,    // a drive without a disk in it
	unix.EREMOTEIO,    // the drive has refused the command
	unix.ETIMEDOUT,    // the drive, or a file server, has not answered the kernel
	unix.ENOLINK,      // there is no path to the drive any more
	unix.ESHUTDOWN,    // a file system that was shut down
	unix.ESTALE,       // a file server that has forgotten its files
	unix.ENOTCONN,     // FUSE whose process is gone
	unix.ECONNABORTED, // the same, for a call that was under way
}

// Ill tells whether an error of this Store is an illness of the disk itself and not
// of one partition. A disk that is full, read-only or not mounted is not ill; one
// that counts as not mounted because looking at it failed with such an errno is.
func (s *Store) Ill(err error) bool {
	if errors.Is(err, errOtherBytes) {
		return true
	}
	for _, e := range illnesses { // errors.Is, not is: any error of several that were joined
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
