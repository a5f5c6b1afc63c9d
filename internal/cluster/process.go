package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// command prepares a program that sees the cluster's etc folder as /etc/swift. The
// shell and unshare exec, so that the pid is the program's own; it leads a process
// group, so that it can be stopped with its children. Its namespace is a slave: disks
// that are mounted and unmounted here come and go there, too.
func (c *Cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	argv := append([]string{
		"-m", "--propagation", "slave", "sh", "-c",
		`mount --bind "$0" /etc/swift && exec "$@"`, c.path("etc"), name,
	}, args...)
	cmd := exec.CommandContext(ctx, "unshare", argv...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// process is a daemon of the cluster.
type process struct {
	name   string
	pid    int    // and its process group's
	output string // path of its stdout and stderr
	done   <-chan struct{}
	err    error // of the exit; read after done
}

func (c *Cluster) start(name string, argv ...string) (p *process, err error) {
	if c.spec.Forker != nil {
		p, err = c.fork(name, argv)
	} else {
		p, err = c.execute(name, argv)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.mu.Lock()
	c.live = append(c.live, p)
	c.mu.Unlock()
	return p, c.keeper.watch(p.pid)
}

func (c *Cluster) execute(name string, argv []string) (*process, error) {
	p := &process{name: name, output: c.path("run/" + name + ".out")}
	out, err := os.Create(p.output)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := c.command(context.Background(), argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	p.pid, p.done = cmd.Process.Pid, done
	go func() {
		p.err = cmd.Wait()
		close(done)
	}()
	return p, nil
}

// stop ends a process with its children: TERM, and KILL when that does not help.
func (p *process) stop() {
	if p == nil {
		return
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(-p.pid, signal); errors.Is(err, syscall.ESRCH) {
			break
		}
		select {
		case <-p.done:
			// Children that ignored TERM are still in the group.
			_ = syscall.Kill(-p.pid, syscall.SIGKILL)
			return
		case <-time.After(5 * time.Second):
		}
	}
	<-p.done
}

// ended explains why a process is gone, with the end of its output.
func (p *process) ended() error {
	out, err := os.ReadFile(p.output)
	if err != nil {
		out = []byte(err.Error())
	}
	return fmt.Errorf("%s ended early (%v): %s", p.name, p.err, lastBytes(out, 2000))
}

func lastBytes(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}

// keeper is a small shell that kills what is left of the cluster when the test
// process dies without having stopped it: then its standard input closes.
type keeper struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	pids  *os.File
}

func newKeeper(pidFile string) (*keeper, error) {
	f, err := os.Create(pidFile)
	if err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	k := &keeper{pids: f}
	k.cmd = exec.Command("sh", "-c", `read -r word; [ "$word" = released ] && exit
while read -r pid; do kill -s KILL -- "-$pid" 2>/dev/null; done <"$0"`, pidFile)
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	return k, nil
}

func (k *keeper) watch(pid int) error {
	if _, err := fmt.Fprintln(k.pids, pid); err != nil {
		return fmt.Errorf("tell the keeper: %w", err)
	}
	return nil
}

func (k *keeper) release() {
	if k == nil {
		return
	}
	_, _ = io.WriteString(k.stdin, "released\n")
	k.stdin.Close()
	_ = k.cmd.Wait()
	k.pids.Close()
}

// runScript runs a command of one of the Python programs and returns its standard
// output.
func (c *Cluster) runScript(ctx context.Context, script, name string, in []byte) ([]byte, error) {
	if c.spec.Forker != nil {
		return c.forkScript(ctx, script, name, in)
	}
	cmd := c.command(ctx, "/usr/bin/python3", "-B", c.path("run/"+script), name)
	var out, fail bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &fail
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run %s %s: %w: %s", script, name, err, lastBytes(fail.Bytes(), 4000))
	}
	return out.Bytes(), nil
}
