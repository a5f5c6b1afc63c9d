package cluster

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

//go:embed forker.py
var forkerPy string

// Forker starts programs in the way of a cluster, with an /etc/swift of their
// own, but in milliseconds: Swift's programs are forks of a process that has
// imported them, and run their stock scripts. Safe for concurrent use. When this
// process ends in whatever way, so do all that it has started.
type Forker struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	mu     sync.Mutex
	serial int
	live   map[int]*Forked // by serial number
	ended  error           // why no more can be started
	read   chan struct{}   // closed when no answer comes any more
}

// Forked is one program, the leader of its process group.
type Forked struct {
	Pid    int
	Status int // once Done: the exit status, or minus the signal that killed it
	User   time.Duration
	System time.Duration

	started chan struct{}
	done    chan struct{}
}

type forkRequest struct {
	ID   int      `json:"id"`
	Etc  string   `json:"etc"`
	Argv []string `json:"argv"`
	In   string   `json:"in"`
	Out  string   `json:"out"`
	Err  string   `json:"err"`
}

type forkAnswer struct {
	ID     int     `json:"id"`
	Pid    int     `json:"pid"`
	Status int     `json:"status"`
	User   float64 `json:"user"`
	System float64 `json:"system"`
}

// StartForker starts the process that the others are forks of.
func StartForker() (*Forker, error) {
	f := &Forker{live: map[int]*Forked{}, read: make(chan struct{})}
	f.cmd = exec.Command("/usr/bin/python3", "-B", "-c", forkerPy)
	f.cmd.Stderr = os.Stderr
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the forker: %w", err)
	}
	if f.stdin, err = f.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the forker: %w", err)
	}
	if err := f.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the forker: %w", err)
	}
	go f.listen(out)
	return f, nil
}

// Close ends all programs.
func (f *Forker) Close() {
	f.stdin.Close()
	<-f.read
	_ = f.cmd.Wait() // how it ended matters to nobody any more
}

func (f *Forker) listen(out io.Reader) {
	defer close(f.read)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a forkAnswer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			continue
		}
		f.mu.Lock()
		p := f.live[a.ID]
		if p != nil && a.Pid == 0 {
			delete(f.live, a.ID)
		}
		f.mu.Unlock()
		switch {
		case p == nil:
		case a.Pid != 0:
			p.Pid = a.Pid
			close(p.started)
		default:
			p.Status = a.Status
			p.User, p.System = seconds(a.User), seconds(a.System)
			close(p.done)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = errors.New("the forker has ended")
	for _, p := range f.live {
		p.Status = -int(syscall.SIGKILL)
		close(p.done)
	}
	f.live = nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Start starts a program that reads from a file ("" is nothing) and writes both of its
// outputs to another.
func (f *Forker) Start(etc, in, out string, argv ...string) (*Forked, error) {
	return f.start(forkRequest{Etc: etc, In: in, Out: out, Err: out, Argv: argv})
}

// Split is Start with the standard error in a file of its own: out + ".err".
func (f *Forker) Split(etc, in, out string, argv ...string) (*Forked, error) {
	return f.start(forkRequest{Etc: etc, In: in, Out: out, Err: out + ".err", Argv: argv})
}

func (f *Forker) start(r forkRequest) (*Forked, error) {
	p := &Forked{started: make(chan struct{}), done: make(chan struct{})}
	f.mu.Lock()
	f.serial++
	r.ID = f.serial
	line, err := json.Marshal(r)
	if err == nil && f.ended != nil {
		err = f.ended
	}
	if err == nil {
		f.live[f.serial] = p
		_, err = f.stdin.Write(append(line, '\n'))
	}
	f.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", r.Argv[0], err)
	}
	select {
	case <-p.started:
		return p, nil
	case <-p.done:
		if p.Pid == 0 {
			return nil, fmt.Errorf("start %s: the forker has ended", r.Argv[0])
		}
		return p, nil
	}
}

// Done is closed when the program has ended.
func (p *Forked) Done() <-chan struct{} { return p.done }

// Wait waits for the end. A program that outlives the context is killed.
func (p *Forked) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.Signal(syscall.SIGKILL)
		<-p.done
		return ctx.Err()
	}
}

// Signal sends a signal to the program and its process group.
func (p *Forked) Signal(s syscall.Signal) {
	select {
	case <-p.done: // another may have its number now
	default:
		_ = syscall.Kill(-p.Pid, s) // it may be gone this moment
	}
}
