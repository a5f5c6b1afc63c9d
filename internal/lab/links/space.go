package links

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// space is a network namespace. It is gone when it is closed and no process is in it.
type space struct{ file *os.File }

const own = "/proc/thread-self/ns/net"

func newSpace() (s space, err error) {
	err = apart(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		s.file, err = os.Open(own)
		return err
	})
	return s, err
}

// do does something in the namespace: sockets that it makes and processes that it starts
// are of it, as long as it makes them itself and in no other goroutine.
func (s space) do(f func() error) error {
	return apart(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// path is what other programs call the namespace while this one has it open.
func (s space) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.file.Fd()) }

// apart runs f on a thread that may change its namespace. The thread comes back to where
// it was; one that cannot is never used again.
func apart(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		before, err := os.Open(own)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		err = f()
		if unix.Setns(int(before.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		_ = before.Close() // it was only read
		done <- err
	}()
	return <-done
}
