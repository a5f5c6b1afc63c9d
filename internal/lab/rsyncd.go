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
	"strconv"
	"strings"
	"sync"
	"time"

	"understudy/internal/transport/rsync"
)

// ErrNoRsync says that there is no rsync in PATH.
var ErrNoRsync = errors.New("rsync is not installed")

const (
	rsyncdAddress  = "127.0.0.1"
	rsyncdAttempts = 10
	rsyncdPatience = 20 * time.Second
	maxRsyncdWords = 16 << 10 // bytes kept of what it prints
)

// rsyncd is a real rsync daemon with one module for each node, named after the
// node's address. It leads a process group of its own, which the kernel kills
// when this process ends in whatever way.
type rsyncd struct {
	thread *rsync.Thread
	port   int
	child  rsync.Child
	words  words
}

// startRsyncd starts the daemon and waits until it answers. rsync cannot be
// handed an open port, so it is tried with others if it loses its own.
func startRsyncd(ctx context.Context, c *Cluster) (*rsyncd, error) {
	if _, err := exec.LookPath("rsync"); err != nil {
		return nil, ErrNoRsync
	}
	conf := filepath.Join(c.etc(), "rsyncd.conf")
	if err := os.WriteFile(conf, c.rsyncdConf(), 0o644); err != nil {
		return nil, fmt.Errorf("write rsyncd.conf: %w", err)
	}
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
	d := &rsyncd{port: port, thread: rsync.NewThread()}
	d.child = rsync.Processes{Thread: d.thread}.Start([]string{
		"rsync", "--daemon", "--no-detach", "--address=" + rsyncdAddress,
		"--port=" + strconv.Itoa(port), "--config=" + conf,
	}, &d.words)
	if err := d.await(ctx, token); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// await waits until the daemon on the port is this one: it alone knows the token.
func (d *rsyncd) await(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, rsyncdPatience)
	defer cancel()
	for {
		if list, err := listModules(ctx, d.port); err == nil && strings.Contains(list, token) {
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
func listModules(ctx context.Context, port int) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", net.JoinHostPort(rsyncdAddress, strconv.Itoa(port)))
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
	if d != nil {
		d.child.Kill()
		<-d.child.Done()
		d.thread.End()
	}
}

// rsyncdConf allows what Swift's replicators do and nothing else. Started by
// root, rsync would become nobody, who may not write here.
func (c *Cluster) rsyncdConf() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "use chroot = no\nmunge symlinks = yes\nreverse lookup = no\nhosts allow = 127.0.0.0/8\nrefuse options = delete\n")
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
