package sick

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

func mounted(ctx context.Context, path string) bool {
	return exec.CommandContext(ctx, "findmnt", "-n", "--mountpoint", path).Run() == nil
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}

// patiently does something again and again until it is well done or the context ends.
func patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// GiveLike gives a path the owner of another.
func GiveLike(model, path string) error {
	var st unix.Stat_t
	if err := unix.Stat(model, &st); err != nil {
		return fmt.Errorf("stat %s: %w", model, err)
	}
	if err := unix.Chown(path, int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("give %s away: %w", path, err)
	}
	return nil
}
