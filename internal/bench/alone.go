package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// ErrNotRoot is returned where mounts cannot be made.
var ErrNotRoot = errors.New("the benchmarks need root: private mounts, and daemons that drop to the user swift")

// Alone gives this process a mount namespace of its own, by starting it again there
// with the same arguments: what it mounts is gone when it ends, however it ends, and
// nobody else holds on to it. It returns in the process that is alone.
func Alone() error {
	const mark = "UNDERSTUDY_BENCH_ALONE"
	if os.Getenv(mark) != "" {
		return nil
	}
	if os.Getuid() != 0 {
		return ErrNotRoot
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return fmt.Errorf("make a mount namespace: %w (package util-linux)", err)
	}
	argv := append([]string{unshare, "-m", "--propagation", "private", self}, os.Args[1:]...)
	err = syscall.Exec(unshare, argv, append(os.Environ(), mark+"=1"))
	return fmt.Errorf("make a mount namespace: %w", err)
}
