package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"understudy/internal/fault"
	"understudy/messages"
)

// orderPatience bounds what a node's process answers at once.
const orderPatience = 20 * time.Second

// errDead says that a node's process has ended.
var errDead = errors.New("the node's process has ended")

// outside is a node's process as its parent sees it.
type outside struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	dead   chan struct{}
	linger time.Duration // that it takes to end at most

	mu      sync.Mutex
	last    int
	waiting map[int]chan told
	frozen  bool
	meant   bool // to end
}

// startOutside starts the process of a node and waits until it serves.
func startOutside(n *Node, program []string) (*outside, error) {
	p := &outside{dead: make(chan struct{}), waiting: map[int]chan told{}}
	args := append(append([]string{}, program[1:]...), n.cluster.Dir, WorldNode{Number: n.Number}.Name())
	p.cmd = exec.Command(program[0], args...)
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	start := p.cmd.Start
	if n.cluster.spec.Links != nil {
		start = func() error { return n.cluster.spec.Links.At(n.Number, p.cmd.Start) }
	}
	if err := start(); err != nil {
		return nil, fmt.Errorf("start node %d: %w", n.Number, err)
	}
	ready := p.expect(0)
	go p.listen(out, n)
	if _, err := p.await(context.Background(), ready, orderPatience); err != nil {
		return nil, errors.Join(fmt.Errorf("start node %d: %w", n.Number, err), p.kill())
	}
	p.linger = n.cluster.spec.Linger
	if _, err := p.do(order{Do: doLinger, Linger: p.linger}); err != nil && !errors.Is(err, errDead) {
		return nil, errors.Join(fmt.Errorf("start node %d: %w", n.Number, err), p.kill())
	}
	return p, nil
}

// listen hands on what the process tells, until it has ended.
func (p *outside) listen(out io.Reader, n *Node) {
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var t told
		if json.Unmarshal(line, &t) != nil {
			continue
		}
		if t.Log != nil {
			n.hear(t.Log)
			continue
		}
		if len(t.Leaks) > 0 && n.cluster.spec.Leaked != nil {
			n.cluster.spec.Leaked(n.Number, t.Leaks)
		}
		p.mu.Lock()
		if c := p.waiting[t.ID]; c != nil {
			c <- t
			delete(p.waiting, t.ID)
		}
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // how it ended is told by who is meant to
	p.mu.Lock()
	meant := p.meant
	p.mu.Unlock()
	if !meant && n.cluster.spec.Died != nil {
		n.cluster.spec.Died(n.Number)
	}
	close(p.dead)
}

func (p *outside) expect(id int) chan told {
	c := make(chan told, 1)
	p.mu.Lock()
	p.waiting[id] = c
	p.mu.Unlock()
	return c
}

// send gives an order. Its answer comes to the channel.
func (p *outside) send(o order) (chan told, int) {
	p.mu.Lock()
	p.last++
	o.ID = p.last
	p.mu.Unlock()
	c := p.expect(o.ID)
	line, _ := json.Marshal(o)                // plain data
	_, _ = p.orders.Write(append(line, '\n')) // a dead process does not answer either
	return c, o.ID
}

func (p *outside) await(ctx context.Context, c chan told, patience time.Duration) (told, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t := <-c:
		if t.Err != "" {
			return t, errors.New(t.Err)
		}
		return t, nil
	case <-p.dead:
		return told{}, errDead
	case <-ctx.Done():
		return told{}, ctx.Err()
	case <-timer.C:
		return told{}, errors.New("the node's process does not answer")
	}
}

func (p *outside) do(o order) (told, error) {
	c, _ := p.send(o)
	return p.await(context.Background(), c, orderPatience)
}

// kill ends the process with SIGKILL. One that the kernel does not let go is left behind.
func (p *outside) kill() error {
	p.mu.Lock()
	p.meant = true
	p.mu.Unlock()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may be dead
	defer p.orders.Close()
	select {
	case <-p.dead:
		return nil
	case <-time.After(orderPatience):
		return fmt.Errorf("kill process %d: it does not end", p.cmd.Process.Pid)
	}
}

// end lets the process end by itself, and kills it when it does not.
func (p *outside) end() error {
	p.mu.Lock()
	p.meant = true
	p.mu.Unlock()
	p.signal(syscall.SIGCONT, false)
	_ = p.orders.Close()
	select {
	case <-p.dead:
		return nil
	case <-time.After(orderPatience + p.linger):
		return errors.Join(errors.New("end a node's process: it does not end by itself"), p.kill())
	}
}

func (p *outside) signal(s syscall.Signal, frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
	_ = syscall.Kill(p.cmd.Process.Pid, s) // it may be dead
}

func (p *outside) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen
}

func (p *outside) alive() bool {
	select {
	case <-p.dead:
		return false
	default:
		return true
	}
}

// outsideEngine is an engine in the node's process.
type outsideEngine struct {
	p    *outside
	once bool
}

// Run implements Engine.
func (e outsideEngine) Run(ctx context.Context) (messages.Stats, error) {
	c, id := e.p.send(order{Do: doRun, Once: e.once})
	t, err := e.p.await(ctx, c, 24*time.Hour)
	if errors.Is(err, context.Canceled) {
		if _, stopErr := e.p.do(order{Do: doStop, Run: id}); stopErr == nil {
			_, _ = e.p.await(context.WithoutCancel(ctx), c, orderPatience)
		}
	}
	if errors.Is(err, errDead) {
		err = context.Canceled // it was killed; who did it tells
	}
	if t.Stats == nil {
		return messages.Stats{}, err
	}
	return *t.Stats, err
}

// LoadFaults puts a plan in force in the node's process.
func (n *Node) LoadFaults(plan fault.Plan) error {
	if n.outside == nil || !n.outside.alive() {
		return nil // it begins with the plan when it is revived
	}
	_, err := n.outside.do(order{Do: doLoad, Plan: plan.String()})
	if errors.Is(err, errDead) {
		return nil // a fault has just killed it
	}
	return err
}

// FaultCounts are those of the node's process, nil when it is down.
func (n *Node) FaultCounts() []fault.Count {
	if n.outside == nil || !n.outside.alive() || n.outside.isFrozen() {
		return nil
	}
	t, err := n.outside.do(order{Do: doCounts})
	if err != nil {
		return nil
	}
	return t.Counts
}
