package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// BehindPort is where an object server listens that was started by StartBehind.
const BehindPort = ServerPort + 1

// BehindAddr is where the node's object server listens when something stands before it.
func (n *Node) BehindAddr() string { return net.JoinHostPort(n.IP, strconv.Itoa(BehindPort)) }

// StartBehind runs the node's object server on another port than the ring's, where
// the caller puts something before it, and the rsyncd as usual.
func (n *Node) StartBehind(ctx context.Context) error {
	conf, err := os.ReadFile(n.ConfPath())
	if err != nil {
		return fmt.Errorf("move the server of node %d: %w", n.Number, err)
	}
	moved := bytes.Replace(conf, fmt.Appendf(nil, "bind_port = %d", ServerPort), fmt.Appendf(nil, "bind_port = %d", BehindPort), 1)
	if err := os.WriteFile(n.ConfPath(), moved, 0o644); err != nil {
		return fmt.Errorf("move the server of node %d: %w", n.Number, err)
	}
	if err := n.startServer(); err != nil {
		return err
	}
	if err := n.startRsyncd(); err != nil {
		return err
	}
	if err := n.server.await(ctx, n.BehindAddr()); err != nil {
		return err
	}
	if err := n.awaitAnswer(ctx, n.BehindAddr()); err != nil {
		return err
	}
	if err := n.rsyncd.await(ctx, n.RsyncAddr()); err != nil {
		return err
	}
	// A replicator reads the file anew, and must find the ring's port.
	if err := os.WriteFile(n.ConfPath(), conf, 0o644); err != nil {
		return fmt.Errorf("move the server of node %d back: %w", n.Number, err)
	}
	return nil
}

// awaitAnswer waits until a server answers: it accepts connections before it has read
// all of its configuration.
func (n *Node) awaitAnswer(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/recon/version", nil)
		if err != nil {
			return fmt.Errorf("ask %s: %w", addr, err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-n.server.done:
			return n.server.ended()
		case <-ctx.Done():
			return fmt.Errorf("ask %s: %w", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
