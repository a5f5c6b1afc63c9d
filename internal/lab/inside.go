package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/fault"
)

// Inside is one node as a process of its own: it serves, and runs engines as it is
// ordered, until its orders end.
type Inside struct {
	node *Node

	mu   sync.Mutex
	out  *json.Encoder
	runs map[int]context.CancelFunc
	work sync.WaitGroup
}

// NewInside makes the node with a name of a cluster in a folder. It writes to out what it
// has to tell.
func NewInside(dir, name string, out io.Writer) (*Inside, error) {
	number := numbered(name)
	if number == 0 || !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("run node %q of %q: a name like n1 and an absolute path are needed", name, dir)
	}
	i := &Inside{out: json.NewEncoder(out), runs: map[int]context.CancelFunc{}}
	faults := fault.NewInjector(fault.Plan{}, nil).Seat(name, NameAt)
	c := &Cluster{Dir: dir, spec: Spec{OwnRings: true, Faults: func(int) *fault.Injector { return faults }}}
	i.node = &Node{Number: number, cluster: c, log: zerolog.New(logged{i}).Level(zerolog.InfoLevel)}
	return i, i.node.read()
}

// read reads the configuration that the cluster has written.
func (n *Node) read() (err error) {
	n.Config, err = config.Load(n.ConfPath(), config.Options{SwiftConf: n.cluster.swiftConfPath()})
	if err != nil {
		return fmt.Errorf("read configuration of node %d: %w", n.Number, err)
	}
	n.IP, n.Port = n.Config.BindIP, n.Config.BindPort
	devices, err := filepath.Glob(filepath.Join(n.DevicesRoot(), "d*"))
	for _, d := range devices {
		n.Disks = append(n.Disks, filepath.Base(d))
	}
	return err
}

// logged is a node's log as lines that the process tells.
type logged struct{ to *Inside }

func (l logged) Write(line []byte) (int, error) {
	l.to.tell(told{Log: line})
	return len(line), nil
}

func (i *Inside) tell(t told) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_ = i.out.Encode(t) // nobody listens any more: the orders end as well
}

// Serve opens the node's port and follows orders until they end.
func (i *Inside) Serve(ctx context.Context, orders io.Reader) (err error) {
	before := Look()
	deadline := time.Now().Add(10 * time.Second)
	for { // who had the port before may need a moment to be gone
		if i.node.listener, err = net.Listen("tcp4", i.node.addr()); err == nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("listen as node %d: %w", i.node.Number, err)
	}
	if err := i.node.serve(); err != nil {
		return err
	}
	i.tell(told{Ready: true})
	linger := time.Duration(0)
	ctx, cancel := context.WithCancel(ctx)
	for lines := bufio.NewScanner(orders); lines.Scan(); {
		var o order
		if err = json.Unmarshal(lines.Bytes(), &o); err != nil {
			break
		}
		if o.Do == doLinger {
			linger = o.Linger
		}
		i.follow(ctx, o)
	}
	cancel()
	i.work.Wait()
	err = errors.Join(err, i.node.stop())
	i.tell(told{Leaks: before.Leaks(linger)})
	return err
}

func (i *Inside) follow(ctx context.Context, o order) {
	switch o.Do {
	case doRun:
		i.run(ctx, o)
		return
	case doStop:
		i.mu.Lock()
		stop := i.runs[o.Run]
		i.mu.Unlock()
		if stop != nil {
			stop()
		}
	case doLoad:
		plan, err := fault.Parse(o.Plan)
		if err != nil {
			i.tell(told{ID: o.ID, Err: err.Error()})
			return
		}
		i.node.faults.Load(plan)
	case doCounts:
		i.tell(told{ID: o.ID, Counts: i.node.faults.Counts()})
		return
	case doPowerCut:
		if err := errors.Join(i.node.Kill(), i.node.PowerCut()); err != nil {
			i.tell(told{ID: o.ID, Err: err.Error()})
			return
		}
	}
	i.tell(told{ID: o.ID})
}

func (i *Inside) run(ctx context.Context, o order) {
	e, err := i.node.Engine(o.Once)
	if err != nil {
		i.tell(told{ID: o.ID, Err: err.Error()})
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	i.mu.Lock()
	i.runs[o.ID] = cancel
	i.mu.Unlock()
	i.work.Go(func() {
		defer cancel()
		stats, err := e.Run(ctx)
		t := told{ID: o.ID, Stats: &stats}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Err = err.Error()
		}
		i.tell(t)
	})
}
