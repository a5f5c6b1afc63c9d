package sick

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Fuse is a disk that is served by a process of its own: a folder, seen through a
// mount point that can hang or fail at will.
type Fuse struct {
	Path    string // its mount point
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Scanner
}

// NewFuse mounts the folder behind at a path. The process that serves it ends with
// this one, and then no call on it hangs any more.
func NewFuse(behind, path string) (*Fuse, error) {
	d := &Fuse{Path: path, cmd: exec.Command("/proc/self/exe")}
	d.cmd.Env = append(os.Environ(), serving+"="+behind+"\n"+path)
	d.cmd.Stderr = os.Stderr
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	answers, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	d.answers = bufio.NewScanner(answers)
	if d.orders, err = d.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	if err := d.answer("mounted"); err != nil {
		d.kill()
		return nil, err
	}
	return d, nil
}

// Hang lets no call return any more. No signal ends those that wait.
func (d *Fuse) Hang() error { return d.order(hangs) }

// Fail makes every call end with EIO, also those that hang.
func (d *Fuse) Fail() error { return d.order(fails) }

// Recover makes the disk well: calls that hang are done now.
func (d *Fuse) Recover() error { return d.order(well) }

// Holds counts the calls that hang.
func (d *Fuse) Holds() (int, error) {
	if _, err := fmt.Fprintln(d.orders, count); err != nil || !d.answers.Scan() {
		return 0, fmt.Errorf("ask disk %s: %w", d.Path, errors.Join(err, d.answers.Err()))
	}
	n, err := strconv.Atoi(d.answers.Text())
	if err != nil {
		return 0, fmt.Errorf("ask disk %s: %w", d.Path, err)
	}
	return n, nil
}

func (d *Fuse) order(c condition) error {
	if _, err := fmt.Fprintln(d.orders, c); err != nil {
		return fmt.Errorf("make disk %s %s: %w", d.Path, c, err)
	}
	return d.answer(string(c))
}

func (d *Fuse) answer(want string) error {
	if !d.answers.Scan() || d.answers.Text() != want {
		return fmt.Errorf("disk %s: its server says %q in place of %q (%v)", d.Path, d.answers.Text(), want, d.answers.Err())
	}
	return nil
}

// Tear ends the disk as the end of its server does: calls that hang fail with
// ECONNABORTED, all later ones with ENOTCONN.
func (d *Fuse) Tear() { d.kill() }

// Close ends the server and unmounts.
func (d *Fuse) Close(ctx context.Context) error {
	d.kill()
	return command(ctx, "umount", "--lazy", d.Path)
}

func (d *Fuse) kill() {
	_ = d.orders.Close()
	_ = d.cmd.Process.Kill()
	if err := d.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		return // it has been waited for already
	}
}
