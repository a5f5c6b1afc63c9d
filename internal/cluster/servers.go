package cluster

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Start runs the object server and the rsyncd of the given nodes (of all, if none
// is named) and returns when every one of them accepts connections.
func (c *Cluster) Start(ctx context.Context, nodes ...*Node) error {
	if len(nodes) == 0 {
		nodes = c.Nodes
	}
	for _, n := range nodes {
		if err := n.startServer(); err != nil {
			return err
		}
		if err := n.startRsyncd(); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.server.await(ctx, n.Addr()); err != nil {
			return err
		}
		if err := n.rsyncd.await(ctx, n.RsyncAddr()); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends every process of the cluster.
func (c *Cluster) Stop() {
	c.mu.Lock()
	live := c.live
	c.live = nil
	c.mu.Unlock()
	for _, p := range live {
		p.stop()
	}
}

// StopRsyncd ends the node's rsync daemon only.
func (n *Node) StopRsyncd() { n.rsyncd.stop() }

// RestartServer ends the node's object server and starts it again.
func (n *Node) RestartServer(ctx context.Context) error {
	n.server.stop()
	n.cluster.forget(n.server)
	if err := n.startServer(); err != nil {
		return err
	}
	return n.server.await(ctx, n.Addr())
}

// SignalServer sends a signal to all processes of the node's object server.
func (n *Node) SignalServer(s syscall.Signal) error { return n.server.signal(s) }

// SignalRsyncd sends a signal to the node's rsync daemon and its children.
func (n *Node) SignalRsyncd(s syscall.Signal) error { return n.rsyncd.signal(s) }

// RsyncdPID is the process of the node's rsync daemon.
func (n *Node) RsyncdPID() int { return n.rsyncd.pid }

// RestartRsyncd ends the node's rsync daemon and starts it again.
func (n *Node) RestartRsyncd(ctx context.Context) error {
	n.rsyncd.stop()
	n.cluster.forget(n.rsyncd)
	if err := n.startRsyncd(); err != nil {
		return err
	}
	return n.rsyncd.await(ctx, n.RsyncAddr())
}

func (p *process) signal(s syscall.Signal) error {
	if err := syscall.Kill(-p.pid, s); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

func (n *Node) startServer() (err error) {
	n.server, err = n.cluster.start(fmt.Sprintf("object-server-%d", n.Number),
		n.serving().argv(n.ConfPath())...)
	return err
}

func (n *Node) startRsyncd() (err error) {
	n.rsyncd, err = n.cluster.start(fmt.Sprintf("rsyncd-%d", n.Number),
		"/usr/bin/rsync", "--daemon", "--no-detach", "--config="+n.rsyncdConf())
	return err
}

// await waits until the process accepts connections, or ends.
func (p *process) await(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s on %s: %w", p.name, addr, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
