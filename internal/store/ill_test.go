package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/ssync"
	"understudy/messages"
)

func TestIll(t *testing.T) {
	s := New(Options{})
	at := func(errno error) error { return &fs.PathError{Op: "open", Path: "/srv/node/sda", Err: errno} }
	for _, errno := range []unix.Errno{
		unix.EIO, unix.EUCLEAN, unix.EBADMSG, unix.ENXIO, unix.ENODEV, unix.ESHUTDOWN, unix.ENOTCONN, unix.ECONNABORTED,
		unix.ESTALE, unix.ENOMEDIUM, unix.EREMOTEIO, unix.ETIMEDOUT, unix.ENOLINK,
	} {
		for _, err := range []error{
			errno, at(errno), fmt.Errorf("list partitions: %w", at(errno)),
			errors.Join(at(unix.ENOSPC), at(errno)),
			&messages.DeviceError{Device: "sda", Message: "sda is not mounted", Err: at(errno)},
			&messages.CreateError{Path: "/srv/node/sda/objects", Err: at(errno)},
		} {
			if !s.Ill(err) {
				t.Errorf("%v is no illness", err)
			}
		}
	}
	for _, err := range []error{
		nil, io.EOF, context.Canceled, context.DeadlineExceeded, ErrNoPartition, ErrNoObject, messages.ErrPartitionLocked,
		at(unix.ENOENT), at(unix.ENOSPC), at(unix.EROFS), at(unix.EDQUOT), at(unix.ENODATA), at(unix.EACCES), at(unix.EPERM),
		at(unix.EMFILE), at(unix.ENOMEM), at(unix.ENOTDIR), at(unix.EEXIST), at(unix.ENOTEMPTY), at(unix.EBUSY), at(unix.EINTR),
		fmt.Errorf("list partitions: %w", context.DeadlineExceeded),
		&messages.DeviceError{Device: "sda", Message: "sda is not mounted"},
		&messages.DeviceError{Device: "sda", Message: "sda is not a directory", Err: at(unix.ENOENT)},
		&messages.CreateError{Path: "/srv/node/sda/objects", Err: at(unix.ENOSPC)},
		&messages.NotDirectoryError{Path: "/srv/node/sda/objects/7", Action: "left"},
		&LockTimeoutError{Path: "/srv/node/sda/objects/7/.lock"},
	} {
		if s.Ill(err) {
			t.Errorf("%v is an illness", err)
		}
	}
	if !s.Ill(fmt.Errorf("probe device sda: %w", errOtherBytes)) {
		t.Error("a disk that does not keep what is written is well")
	}
}

// storeCalls are the methods that read a disk, each with its answer as text.
var storeCalls = map[string]func(s *Store) (string, error){
	"check": func(s *Store) (string, error) { return "", s.Check(context.Background(), "sda") },
	"probe": func(s *Store) (string, error) {
		disk, err := s.Probe(context.Background(), "sda")
		return string(disk), err
	},
	"list": func(s *Store) (string, error) {
		l, err := wholeList(context.Background(), s, "sda", 0)
		slices.Sort(l.Partitions)
		return fmt.Sprint(l), err
	},
	"list a policy without a directory": func(s *Store) (string, error) {
		l, err := wholeList(context.Background(), s, "sda", 1)
		return fmt.Sprint(l), err
	},
	"hashes": func(s *Store) (string, error) {
		r, err := s.Hashes(context.Background(), part, messages.HashOptions{List: true})
		return fmt.Sprint(r), err
	},
	"hashes afresh": func(s *Store) (string, error) {
		r, err := s.Hashes(context.Background(), part, messages.HashOptions{Recalculate: []string{"abc", "def"}})
		return fmt.Sprint(r), err
	},
	"suffixes": func(s *Store) (string, error) {
		dirs, err := s.SuffixDirs(context.Background(), part, []string{"abc", "def", "fff"})
		return fmt.Sprint(len(dirs)), err
	},
	"invalidate": func(s *Store) (string, error) {
		return "", s.Invalidate(context.Background(), part, []string{"abc"})
	},
	"hold": func(s *Store) (string, error) {
		h, err := s.Hold(context.Background(), part)
		if err != nil {
			return "", err
		}
		defer h.Release()
		return fmt.Sprint(h.Manifest()), nil
	},
	"remove": func(s *Store) (string, error) {
		h, err := s.Hold(context.Background(), part)
		if err != nil {
			return "", err
		}
		defer h.Release()
		r, err := h.Remove(context.Background(), h.Manifest().Files, nil)
		return fmt.Sprint(r), err
	},
	"objects": func(s *Store) (string, error) {
		o, err := s.OpenObjects(context.Background(), part, testPaths)
		if err != nil {
			return "", err
		}
		defer o.Close()
		var got []string
		err = o.Each(context.Background(), "abc", func(e ssync.Entry) error { got = append(got, e.Hash); return nil })
		slices.Sort(got)
		return fmt.Sprint(got), err
	},
}

// A disk dies before the nth system call, for every n: from then on every call
// answers EIO. What a method then says is an illness, or just what it says of the
// healthy disk. In particular nothing is missing or empty.
func TestDeadDiskIsNoEmptyDisk(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(storeCalls)) {
		call := storeCalls[name]
		well := ""
		for n := 0; ; n++ {
			calls, armed := 0, false
			b := quickBench(t, withHook(func(op, path string) error {
				if !armed {
					return nil
				}
				if calls++; n > 0 && calls >= n {
					return unix.EIO
				}
				return nil
			}))
			b.handoff()
			armed = true
			got, err := call(b.Store)
			armed = false
			switch {
			case n == 0 && err != nil:
				t.Fatalf("%s: %v", name, err)
			case n == 0:
				well = got
			case err == nil && got != well:
				t.Errorf("%s, dead from call %d: %s, want %s", name, n, got, well)
			case err != nil && !b.Ill(err):
				t.Errorf("%s, dead from call %d: %v is no illness", name, n, err)
			case n == 1 && err == nil:
				t.Errorf("%s of a dead disk: %s", name, got)
			}
			if n > calls {
				break
			}
		}
	}
}

// One single call fails, for every call there is. A suffix then has its hash or is
// told to have none that is known; it is never left out.
func TestOneErrorHidesNoSuffix(t *testing.T) {
	o := messages.HashOptions{List: true}
	for n := 1; ; n++ {
		calls := 0
		b := quickBench(t, withHook(func(op, path string) error {
			if calls++; calls == n {
				return unix.EIO
			}
			return nil
		}))
		b.handoff()
		got, err := b.Hashes(context.Background(), part, o)
		if calls < n {
			break
		}
		if err != nil {
			if !b.Ill(err) {
				t.Errorf("call %d: %v is no illness", n, err)
			}
			continue
		}
		if sum, ok := got.Hashes["abc"]; !ok || sum != "" && sum != "ca97309f5c86434c10e8bdc617e65452" {
			t.Errorf("call %d: %v", n, got.Hashes)
		}
	}
}
