package process

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// DropPrivileges makes the process run as the named user, its group and, when it
// was root, the groups that list the user. HOME becomes the user's. Without root's
// rights it succeeds only when the process runs as that user already.
//
// Swift: common/utils.py drop_privileges.
func DropPrivileges(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("drop privileges to user %q: %w", name, err)
	}
	uid, gid, groups, err := ids(u)
	if err != nil {
		return fmt.Errorf("drop privileges to user %q: %w", name, err)
	}
	if os.Geteuid() == 0 {
		if err := syscall.Setgroups(groups); err != nil {
			return fmt.Errorf("drop privileges to user %q: set groups: %w", name, err)
		}
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("drop privileges to user %q: set group %d: %w", name, gid, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("drop privileges to user %q: set user %d: %w", name, uid, err)
	}
	if err := os.Setenv("HOME", u.HomeDir); err != nil {
		return fmt.Errorf("drop privileges to user %q: set HOME: %w", name, err)
	}
	return nil
}

// ids returns numbers; groups are those that list the user, without its own group.
func ids(u *user.User) (uid, gid int, groups []int, err error) {
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, nil, fmt.Errorf("read user id: %w", err)
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		return 0, 0, nil, fmt.Errorf("read group id: %w", err)
	}
	names, err := u.GroupIds()
	if err != nil {
		return 0, 0, nil, fmt.Errorf("list groups: %w", err)
	}
	groups = []int{}
	for _, n := range names {
		g, err := strconv.Atoi(n)
		if err != nil {
			return 0, 0, nil, fmt.Errorf("read group id: %w", err)
		}
		if g != gid {
			groups = append(groups, g)
		}
	}
	return uid, gid, groups, nil
}

// Hygiene makes the process the leader of a session of its own (no error if it is
// already one of a group), leaves the directory it was started in, and has new
// files written by their owner only.
//
// Swift: common/utils.py clean_up_daemon_hygiene.
func Hygiene() error {
	_, _ = syscall.Setsid()
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("leave the working directory: %w", err)
	}
	syscall.Umask(0o022)
	return nil
}

// UseUTC makes times print in UTC here and in child processes. It must be called
// before anything else uses a local time.
//
// Swift: common/daemon.py run_daemon.
func UseUTC() error {
	time.Local = time.UTC
	if err := os.Setenv("TZ", "UTC+0"); err != nil {
		return fmt.Errorf("set TZ: %w", err)
	}
	return nil
}
