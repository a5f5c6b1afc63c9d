package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Adopt makes a cluster whose devices, rings and swift.conf the caller provides:
// devices in Root/srv/NUMBER/NAME, of which d1 is there, the rest in Etc. Start it
// with Serve.
func Adopt(base string, nodes int, replicator map[string]string) (*Cluster, error) {
	net, err := reserveNetwork()
	if err != nil {
		return nil, err
	}
	c := &Cluster{spec: Spec{Base: base, Nodes: nodes, Devices: 1, Replicator: replicator}, net: net, serving: StockServer}
	if err := c.layOut(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Etc is the folder that the cluster's programs see as /etc/swift.
func (c *Cluster) Etc() string { return c.path("etc") }

// Address is where a node's object server listens.
func (c *Cluster) Address(node int) (ip string, port int) { return c.net.host(node), ServerPort }

// Service is the running servers of an adopted cluster.
type Service struct {
	cluster *Cluster
	forker  *Forker
	running []*Forked
}

// Serve starts an object server and an rsync daemon for every node and returns
// when all accept connections.
func (c *Cluster) Serve(ctx context.Context, f *Forker) (*Service, error) {
	s := &Service{cluster: c, forker: f}
	if err := s.start(ctx); err != nil {
		s.Stop(syscall.SIGKILL)
		return nil, err
	}
	return s, nil
}

func (s *Service) start(ctx context.Context) error {
	c := s.cluster
	waits := map[string]*Forked{}
	for _, n := range c.Nodes {
		out := c.path(fmt.Sprintf("run/object-server-%d.out", n.Number))
		p, err := s.forker.Start(c.Etc(), "", out, n.serving().argv(n.ConfPath())...)
		if err != nil {
			return err
		}
		s.running = append(s.running, p)
		waits[n.Addr()] = p
		out = c.path(fmt.Sprintf("run/rsyncd-%d.out", n.Number))
		p, err = s.forker.Start(c.Etc(), "", out, "/usr/bin/rsync", "--daemon", "--no-detach", "--config="+n.rsyncdConf())
		if err != nil {
			return err
		}
		s.running = append(s.running, p)
		waits[n.RsyncAddr()] = p
	}
	for addr, p := range waits {
		if err := awaitForked(ctx, p, addr); err != nil {
			return fmt.Errorf("start servers in %s: %w", c.Root, err)
		}
	}
	return nil
}

func awaitForked(ctx context.Context, p *Forked, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.Done():
			return fmt.Errorf("what was to listen on %s ended: status %d", addr, p.Status)
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", addr, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Stop ends all servers and waits for them.
func (s *Service) Stop(with syscall.Signal) {
	for _, p := range s.running {
		p.Signal(with)
	}
	for _, p := range s.running {
		select {
		case <-p.Done():
		case <-time.After(5 * time.Second):
			p.Signal(syscall.SIGKILL)
			<-p.Done()
		}
		// A server's worker may be alive while its master is not: it is of the group.
		_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	}
	s.running = nil
}

// Restart stops the servers as an operator does and starts them again.
func (s *Service) Restart(ctx context.Context) error {
	s.Stop(syscall.SIGTERM)
	return s.start(ctx)
}

// StartOnce starts one pass of a replicator on a node. Its output goes to a file
// that OnceOutput reads.
func (n *Node) StartOnce(f *Forker, p Program) (*Forked, error) {
	return f.Split(n.cluster.Etc(), "", n.onceOut(), p.Path, n.ConfPath(), "--once")
}

func (n *Node) onceOut() string { return n.cluster.path(fmt.Sprintf("run/once-%d.out", n.Number)) }

// OnceOutput is what the last pass printed.
func (n *Node) OnceOutput() string { return printed(n.onceOut()) }

// printed is the end of what a program wrote to its two outputs.
func printed(path string) string {
	out, err := os.ReadFile(path)
	fail, err2 := os.ReadFile(path + ".err")
	if err := errors.Join(err, err2); err != nil {
		return err.Error()
	}
	return string(lastBytes(append(out, fail...), 2000))
}

// ScanServed is Scan, with the servers asked, for a cluster that is served.
func (s *Service) ScanServed(ctx context.Context) ([]Copy, error) {
	c := s.cluster
	request, err := json.Marshal(map[string]any{"roots": c.roots(), "port": ServerPort})
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	in, out := c.path("run/scan.in"), c.path("run/scan.out")
	if err := os.WriteFile(in, request, 0o644); err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	p, err := s.forker.Split(c.Etc(), in, out, c.path("run/lab.py"), "scan")
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	if err := p.Wait(ctx); err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	answer, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	var copies []Copy
	if p.Status != 0 {
		return nil, fmt.Errorf("scan %s: status %d: %s", c.Root, p.Status, printed(out))
	}
	if err := json.Unmarshal(answer, &copies); err != nil {
		return nil, fmt.Errorf("scan %s: %w: %s", c.Root, err, printed(out))
	}
	return copies, nil
}

// CheckHashes compares what is cached and was answered of a partition with what
// Swift computes, and returns what differs.
func (c Copy) CheckHashes() []string { return c.checkHashes() }
