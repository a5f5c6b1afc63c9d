package store

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// Check answers what Swift's check_drive answers, to the letter.
func TestCheckIsSwifts(t *testing.T) {
	b := newBench(t, nil)
	b.mkdir("marked")
	b.write(b.path("marked", ".ismount"), "")
	b.mkdir("marked-by-dir/.ismount")
	b.write(b.path("file"), "")
	b.mkdir("dev~1.0-a_B")
	for link, to := range map[string]string{
		"link": b.path("sda"), "marked-link": b.path("marked"), "dangling": b.path("nowhere"), "loop": b.path("loop"), "file-link": b.path("file"),
	} {
		if err := os.Symlink(to, b.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	devices := []string{
		"sda", "marked", "marked-by-dir", "file", "dev~1.0-a_B", "link", "marked-link", "dangling", "loop", "file-link", "missing",
		"s da", "s%20da", "sda/x", "/", "a+b", "sdä", "a:b", "a\x00b", "a\nb", strings.Repeat("x", 300),
	}
	try := func(root, device string, mountCheck bool) {
		t.Helper()
		var want struct{ Path, Message string }
		ask(t, map[string]any{"op": "check_drive", "root": root, "device": device, "mount_check": mountCheck}, &want)
		err := New(Options{Root: root, MountCheck: mountCheck}).Check(context.Background(), device)
		var got *messages.DeviceError
		switch {
		case want.Message == "" && err != nil:
			t.Errorf("%q with mount_check %v: %v, Swift takes it", device, mountCheck, err)
		case want.Message != "" && (!errors.As(err, &got) || got.Message != want.Message || got.Device != device):
			t.Errorf("%q with mount_check %v: %v, Swift says %q", device, mountCheck, err, want.Message)
		}
	}
	for _, device := range devices {
		for _, mountCheck := range []bool{false, true} {
			try(b.root, device, mountCheck)
			try(b.root+"/", device, mountCheck)
		}
	}
	for _, mount := range []string{"proc", "dev"} { // real mount points
		try("/", mount, true)
		try("/", mount, false)
	}
}

// Names that lead out of the devices directory are no devices, whatever Swift says.
func TestCheckRefusesDots(t *testing.T) {
	b := newBench(t, nil)
	for _, device := range []string{"", ".", ".."} {
		var e *messages.DeviceError
		if err := b.Check(context.Background(), device); !errors.As(err, &e) || e.Message != device+" is not a valid drive name" {
			t.Errorf("%q: %v", device, err)
		}
		if _, err := wholeList(context.Background(), b.Store, device, 0); !errors.As(err, &e) {
			t.Errorf("list %q: %v", device, err)
		}
	}
}

// A disk that does not answer is not mounted, and the cause is kept.
func TestCheckKeepsCause(t *testing.T) {
	for _, mountCheck := range []bool{false, true} {
		b := newBench(t, withHook(func(op, path string) error {
			if op == "stat" {
				return unix.EIO
			}
			return nil
		}))
		b.mountCheck = mountCheck
		var e *messages.DeviceError
		if err := b.Check(context.Background(), "sda"); !errors.As(err, &e) || !errors.Is(err, unix.EIO) {
			t.Errorf("%v", err)
		}
	}
}

// everyCall runs each method that works on a device.
func everyCall(s *Store) map[string]error {
	ctx := context.Background()
	errs := map[string]error{"check": s.Check(ctx, "sda"), "invalidate": s.Invalidate(ctx, part, []string{"abc"})}
	_, errs["probe"] = s.Probe(ctx, "sda")
	_, errs["list"] = wholeList(ctx, s, "sda", 0)
	_, errs["hashes"] = s.Hashes(ctx, part, messages.HashOptions{List: true})
	_, errs["suffixes"] = s.SuffixDirs(ctx, part, []string{"abc"})
	h, err := s.Hold(ctx, part)
	if errs["hold"] = err; err == nil {
		h.Release()
	}
	o, err := s.OpenObjects(ctx, part, testPaths)
	if errs["objects"] = err; err == nil {
		o.Close()
	}
	_, errs["lock partition"] = s.LockPartition(ctx, part, ReplicationLock, 0, true)
	_, errs["lock device"] = s.LockDevice(ctx, "sda", 2, 0)
	return errs
}

// A disk that is not mounted: every call says so, and nothing appears on the disk
// below the mount point.
func TestUnmountedStaysUntouched(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MountCheck = true })
	for name, err := range everyCall(b.Store) {
		var e *messages.DeviceError
		if !errors.As(err, &e) || e.Message != b.path("sda")+" is not mounted" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := tree(t, b.root); len(got) != 1 {
		t.Errorf("made %v", got)
	}
}

// A device that is a marked symbolic link is worked on where it leads to.
func TestMarkedLinkIsADevice(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MountCheck = true })
	b.mkdir("disk/objects/5")
	b.write(b.path("disk/.ismount"), "")
	if err := errors.Join(os.Remove(b.path("sda")), os.Symlink(b.path("disk"), b.path("sda"))); err != nil {
		t.Fatal(err)
	}
	if l := b.list(0); len(l.Partitions) != 1 {
		t.Errorf("%+v", l)
	}
}

// A missing device is never an empty one.
func TestMissingDeviceIsAnError(t *testing.T) {
	b := newBench(t, nil)
	if err := os.Remove(b.path("sda")); err != nil {
		t.Fatal(err)
	}
	for name, err := range everyCall(b.Store) {
		var e *messages.DeviceError
		if !errors.As(err, &e) || errors.Is(err, ErrNoPartition) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := tree(t, b.root); len(got) != 0 {
		t.Errorf("made %v", got)
	}
}

// The disk goes, or comes, between opening the device and verifying it.
func TestDeviceSwappedWhileOpened(t *testing.T) {
	var b *bench
	swapped := 0
	b = newBench(t, withHook(func(op, path string) error {
		if op == "stat" && path == b.path("sda") && swapped == 0 {
			swapped++
			if err := os.Rename(b.path("sda"), b.path("was-sda")); err != nil {
				return err
			}
			return os.Mkdir(b.path("sda"), 0o755)
		}
		return nil
	}))
	_, err := wholeList(context.Background(), b.Store, "sda", 0)
	var e *messages.DeviceError
	if !errors.As(err, &e) || swapped != 1 {
		t.Errorf("%v after %d swaps", err, swapped)
	}
	if got := tree(t, b.root); len(got) != 2 {
		t.Errorf("made %v", got)
	}
}
