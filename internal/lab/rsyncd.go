package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"understudy/internal/lab/links"
	"understudy/internal/transport/rsync"
)

// ErrNoRsync says that there is no rsync in PATH.
var ErrNoRsync = errors.New("rsync is not installed")

const (
	rsyncdAddress  = "127.0.0.1"
	rsyncdAttempts = 10
	// linkedRsyncPort is that of a daemon in a network of its own.
	linkedRsyncPort = 8730
	rsyncdPatience  = 20 * time.Second
	maxRsyncdWords  = 16 << 10 // bytes kept of what it prints
)

// rsyncd is a real rsync daemon with one module for each node, named after the
// node's address, and serves all nodes, or one in the network of that. It leads a process group of its own, which the kernel kills
// when this process ends in whatever way.
type rsyncd struct {
	thread  *rsync.Thread
	address string
	port    int
	child   rsync.Child // nil: it was not started
	words   words
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// startRsyncds starts the daemon, one for all nodes, or one in the network of each.
func (c *Cluster) startRsyncds(ctx context.Context) error {
	if _, err := exec.LookPath("rsync"); err != nil {
		return ErrNoRsync
	}
	conf := filepath.Join(c.etc(), "rsyncd.conf")
	if err := os.WriteFile(conf, c.rsyncdConf(), 0o644); err != nil {
		return fmt.Errorf("write rsyncd.conf: %w", err)
	}
	if c.spec.Links == nil {
		d, err := startRsyncd(ctx, c, conf)
		if err == nil {
			c.rsyncd = append(c.rsyncd, d)
		}
		return err
	}
	for _, n := range c.Nodes {
		d := &rsyncd{address: n.IP, port: linkedRsyncPort, thread: rsync.NewThread(), dial: c.spec.Links.Dial}
		c.rsyncd = append(c.rsyncd, d)
		if err := d.start(ctx, conf, c.Dir, c.spec.Links.Within(n.Number)); err != nil {
			return fmt.Errorf("start rsync daemon of node %d: %w", n.Number, err)
		}
	}
	return nil
}

// startRsyncd starts the daemon of all and waits until it answers. rsync cannot be
// handed an open port, so it is tried with others if it loses its own.
func startRsyncd(ctx context.Context, c *Cluster, conf string) (*rsyncd, error) {
	var err error
	for range rsyncdAttempts {
		var d *rsyncd
		if d, err = tryRsyncd(ctx, conf, c.Dir); err == nil {
			return d, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("start rsync daemon: %w", err)
}

func tryRsyncd(ctx context.Context, conf, token string) (*rsyncd, error) {
	l, port, err := listen(rsyncdAddress, 0)
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	d := &rsyncd{address: rsyncdAddress, port: port, thread: rsync.NewThread(), dial: (&net.Dialer{}).DialContext}
	if err := d.start(ctx, conf, token, nil); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// start starts the daemon by way of another command and waits until it answers.
func (d *rsyncd) start(ctx context.Context, conf, token string, within []string) error {
	d.child = rsync.Processes{Thread: d.thread}.Start(append(slices.Clone(within),
		"rsync", "--daemon", "--no-detach", "--address="+d.address, "--port="+strconv.Itoa(d.port), "--config="+conf), &d.words)
	return d.await(ctx, token)
}

// await waits until the daemon on the port is this one: it alone knows the token.
func (d *rsyncd) await(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, rsyncdPatience)
	defer cancel()
	for {
		if list, err := d.listModules(ctx); err == nil && strings.Contains(list, token) {
			return nil
		}
		select {
		case <-d.child.Done():
			_, err := d.child.Exit()
			return errors.Join(fmt.Errorf("it ended at once: %s", d.words.text()), err)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer on port %d: %w", d.port, ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// listModules asks a daemon for its modules, in the oldest form of its protocol
// that has greetings.
func (d *rsyncd) listModules(ctx context.Context) (string, error) {
	conn, err := d.dial(ctx, "tcp4", net.JoinHostPort(d.address, strconv.Itoa(d.port)))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("@RSYNCD: 31.0\n#list\n")); err != nil {
		return "", err
	}
	var list strings.Builder
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "@RSYNCD: EXIT") {
			return list.String(), nil
		}
		list.WriteString(lines.Text() + "\n")
	}
	return "", errors.New("the list of modules breaks off")
}

func (d *rsyncd) stop() {
	if d.child != nil {
		d.child.Kill()
		<-d.child.Done()
	}
	d.thread.End()
}

// rsyncdConf allows what Swift's replicators do and nothing else. Started by
// root, rsync would become nobody, who may not write here.
func (c *Cluster) rsyncdConf() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "use chroot = no\nmunge symlinks = yes\nreverse lookup = no\nhosts allow = 127.0.0.0/8 %s\nrefuse options = delete\n", links.All)
	fmt.Fprintf(&b, "log file = %s\n", filepath.Join(c.Dir, "rsyncd.log"))
	if os.Getuid() == 0 {
		fmt.Fprintf(&b, "uid = 0\ngid = 0\n")
	}
	for _, n := range c.Nodes {
		fmt.Fprintf(&b, "\n[%s]\npath = %s\ncomment = %s\nread only = no\n", n.IP, n.DevicesRoot(), c.Dir)
	}
	return b.Bytes()
}

// words keeps the beginning of what a process prints.
type words struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept.Write(p[:min(len(p), maxRsyncdWords-w.kept.Len())])
	return len(p), nil
}

func (w *words) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(w.kept.String())
}
