package process

import (
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// RedirectStdio puts /dev/null in the place of standard input, output and, unless
// keepStderr, error. swift-init reads its child's output until the end of file, so
// no copy of a pipe may stay open.
//
// The runtime's last words (a crash) would be lost with standard error. They still
// go where it went if that is the journal or a file: neither waits for an end.
//
// Swift: common/utils.py capture_stdio.
func RedirectStdio(keepStderr bool) error {
	if !keepStderr && outlives(os.Stderr) {
		if err := debug.SetCrashOutput(os.Stderr, debug.CrashOptions{}); err != nil {
			return fmt.Errorf("keep standard error for a crash: %w", err)
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("redirect standard streams: %w", err)
	}
	defer null.Close()
	last := unix.Stderr
	if keepStderr {
		last = unix.Stdout
	}
	for fd := unix.Stdin; fd <= last; fd++ {
		// The runtime opens 0, 1 and 2 if they were closed, so null is another.
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("redirect file descriptor %d: %w", fd, err)
		}
	}
	return nil
}

// outlives tells whether f is the journal's socket or a regular file. The journal
// names its socket in JOURNAL_STREAM, so that no other socket is taken for it.
func outlives(f *os.File) bool {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return true
	case unix.S_IFSOCK:
		return os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	return false
}
