package rsync

import (
	"errors"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Spawner starts children.
type Spawner interface {
	// Start begins to start a child and does not wait for it. Its standard output
	// and error go to out together. argv[0] is looked up in PATH.
	Start(argv []string, out io.Writer) Child
}

// Child is a process that is about to run, runs or has run.
type Child interface {
	// Done is closed when the child has been reaped, or could not be started.
	Done() <-chan struct{}
	// Exit is the exit code, negative for a signal; an error when there was no
	// process. Only to be called after Done.
	Exit() (code int, err error)
	// Kill kills the child's process group. It does not wait.
	Kill()
}

// Processes starts real processes, each the leader of a process group that dies
// with it. The kernel kills the leader when this process ends.
type Processes struct {
	Thread *Thread // starts them; nil: one that the whole process has, and that never ends
}

// outputDelay is how long the output of a child that has ended may be held open
// by a process that left its group.
const outputDelay = time.Second

var errKilledFirst = errors.New("killed before it was started")

// Thread is an OS thread that starts processes. A parent-death signal is sent when the
// thread ends that forked, not the process, so this thread does nothing else that could
// hold it up or end it.
type Thread struct {
	forks chan func()
	end   chan struct{}
	begin sync.Once
	once  sync.Once
}

// NewThread makes one; it begins with its first process.
func NewThread() *Thread { return &Thread{forks: make(chan func()), end: make(chan struct{})} }

// shared is the thread of those who have none of their own.
var shared = sync.OnceValue(NewThread)

func (t *Thread) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with this function
	for {
		select {
		case fork := <-t.forks:
			fork()
		case <-t.end:
			return
		}
	}
}

// End ends the thread, and with it every process that it has started.
func (t *Thread) End() { t.once.Do(func() { close(t.end) }) }

// Start implements Spawner.
func (p Processes) Start(argv []string, out io.Writer) Child {
	c := &process{killed: make(chan struct{}), done: make(chan struct{})}
	thread := p.Thread
	if thread == nil {
		thread = shared()
	}
	go c.live(thread, argv, out)
	return c
}

type process struct {
	killed chan struct{} // closed by the first Kill
	done   chan struct{}
	code   int
	err    error

	mu  sync.Mutex
	pid int // while the process group surely is this child's
}

func (c *process) Done() <-chan struct{} { return c.done }

func (c *process) Exit() (int, error) { return c.code, c.err }

func (c *process) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.killed:
	default:
		close(c.killed)
	}
	c.killGroup()
}

// live is the child's whole life: started, waited for, its group killed, reaped.
func (c *process) live(thread *Thread, argv []string, out io.Writer) {
	defer close(c.done)
	thread.begin.Do(func() { go thread.run() })
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = outputDelay
	// No cmd.Dir: a child that changes into a directory of a dead disk hangs
	// before exec, with a copy of every descriptor of ours.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	select {
	case thread.forks <- func() { started <- c.start(cmd) }:
	case <-thread.end:
		c.err = ErrClosed
		return
	case <-c.killed:
		c.err = errKilledFirst
		return
	}
	if c.err = <-started; c.err != nil {
		return
	}
	c.finish(awaitExit(cmd.Process.Pid))
	err := cmd.Wait()
	if cmd.ProcessState == nil {
		c.err = err
		return
	}
	c.code = exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// start starts the child and makes it known to Kill, which may have come already:
// on the forking thread, so that no busy machine comes between the two.
func (c *process) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = cmd.Process.Pid
	select {
	case <-c.killed:
		c.killGroup()
	default:
	}
	return nil
}

// finish kills what the child has left behind in its group. The child is still a
// zombie now: its number cannot belong to anyone else until it is reaped.
func (c *process) finish(zombie bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if zombie {
		c.killGroup()
	}
	c.pid = 0
}

func (c *process) killGroup() {
	if c.pid > 0 {
		_ = unix.Kill(-c.pid, unix.SIGKILL) // ESRCH: all gone already
	}
}

// awaitExit waits until a child has ended and does not reap it.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return -int(status.Signal())
	}
	return status.ExitStatus()
}
