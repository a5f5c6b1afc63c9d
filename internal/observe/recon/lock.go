package recon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lockTimeout = 2 * time.Second
	lockPoll    = 10 * time.Millisecond
)

// ErrLocked says that somebody else kept the lock for too long.
var ErrLocked = errors.New("locked by another process")

// lock opens the cache, making it when it is missing, and locks it. A file that
// was replaced in the meantime is of no use any more; then the new one is tried.
// The lock ends with the file. Swift: common/utils.py lock_file
func lock(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open recon cache: %w", err)
		}
		current, err := lockOpen(ctx, f, path)
		if err == nil && current {
			return f, nil
		}
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// lockOpen locks an open file and reports whether path still names it.
func lockOpen(ctx context.Context, f *os.File, path string) (bool, error) {
	ours, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !ours.Mode().IsRegular() {
		return false, errors.New("not a regular file")
	}
	if err := flock(ctx, f); err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(ours, named), nil
}

// flock polls, as all of Swift's daemons do: there is no queue to join.
func flock(ctx context.Context, f *os.File) error {
	deadline := time.Now().Add(lockTimeout)
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("%w for %s", ErrLocked, lockTimeout)
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
}
