package sick

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inside marks the test process that runs in a namespace of its own.
const inside = "SICK_NAMESPACE"

// tools are the programs that the disks are made with.
var tools = []string{"mkfs.xfs", "xfs_io", "xfs_freeze", "mount", "umount", "nsenter", "findmnt"}

// missing lists what this machine lacks for the disks and for whatever else is needed.
func missing(needs []string) []string {
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root (mounts)")
	}
	for _, tool := range append(tools, needs...) {
		if _, err := exec.LookPath(tool); err != nil {
			lacks = append(lacks, tool)
		}
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		lacks = append(lacks, "/dev/fuse")
	}
	return lacks
}

// Tests are what runs inside: a *testing.M, or whatever a program makes of it.
type Tests interface{ Run() int }

// Main runs the tests of a binary in a mount namespace of their own and returns the
// exit status. Mounts that are made in it reach the namespaces of its children that
// are slaves of it, and nobody else's. A machine that lacks something for the disks, or
// one of the programs that the tests need, fails them: they never pass by skipping.
func Main(m Tests, needs ...string) int { return run(m, 0, needs) }

// MainApart is Main in a network of its own, too: nothing but loopback, whose addresses
// can be cut off without anybody else seeing it.
func MainApart(m Tests, needs ...string) int {
	return run(m, syscall.CLONE_NEWNET, append(needs, "ip"))
}

func run(m Tests, apart uintptr, needs []string) int {
	if job := os.Getenv(serving); job != "" {
		return serve(job)
	}
	if lacks := missing(needs); len(lacks) > 0 {
		fmt.Fprintf(os.Stderr, "tests with sick disks cannot run, missing: %s\n"+
			"Run test/install.sh as root: it installs what they need.\n", strings.Join(lacks, ", "))
		return 1
	}
	if os.Getenv(inside) == "" {
		return enter(apart)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		fmt.Fprintf(os.Stderr, "share the mounts with children: %v\n", err)
		return 1
	}
	if apart != 0 {
		if err := command(context.Background(), "ip", "link", "set", "lo", "up"); err != nil {
			fmt.Fprintf(os.Stderr, "make a network: %v\n", err)
			return 1
		}
	}
	return m.Run()
}

// enter runs this binary again inside and passes on the signals that it gets. After the
// end it thaws what was left frozen: a process that waits for a frozen disk cannot be
// killed, and would hold the namespace for ever.
func enter(apart uintptr) int {
	runtime.LockOSThread() // the parent-death signal is about the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | apart, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "start the tests in a mount namespace: %v\n", err)
		return 1
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", cmd.Process.Pid))
	if err != nil {
		fmt.Fprintf(os.Stderr, "hold the tests' mount namespace: %v\n", err)
		return 1
	}
	defer namespace.Close()
	err = wait(cmd, namespace)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintf(os.Stderr, "wait for the tests: %v\n", err)
		return 1
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return 1
}

// wait waits for the tests, and thaws as soon as nobody is left who would.
func wait(cmd *exec.Cmd, namespace *os.File) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	dead := died(cmd.Process.Pid)
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // it may have ended
		case <-dead:
			thaw(namespace)
			dead = nil
		case err := <-ended:
			thaw(namespace)
			return err
		}
	}
}

// died is closed when a process has ended but for threads that hang in the kernel:
// its parent is not told yet.
func died(pid int) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		for State(pid) != 'Z' {
			if State(pid) == 0 {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		close(c)
	}()
	return c
}

// thaw unfreezes every XFS of a namespace. Those that are not frozen complain, which
// nobody needs to see.
func thaw(namespace *os.File) {
	cmd := exec.Command("nsenter", "--mount=/proc/self/fd/3", "sh", "-c",
		`findmnt -rn -t xfs -o TARGET | while read -r m; do xfs_freeze -u "$m"; done 2>/dev/null`)
	cmd.ExtraFiles = []*os.File{namespace}
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "thaw what was left frozen: %v\n", err)
	}
}
