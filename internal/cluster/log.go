package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Log collects what a node's daemons send to their log_address.
type Log struct {
	path   string
	conn   *net.UnixConn
	mu     sync.Mutex
	lines  []string // "name: message", the priority cut off
	marks  map[string]chan struct{}
	serial int
}

func listenLog(path string) (*Log, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for log lines: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, fmt.Errorf("open the log socket: %w", err)
	}
	l := &Log{path: path, conn: conn, marks: map[string]chan struct{}{}}
	go l.read()
	return l, nil
}

func (l *Log) read() {
	buf := make([]byte, 1<<20)
	for {
		n, err := l.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		line := strings.TrimRight(string(buf[:n]), "\x00\n")
		if _, rest, ok := strings.Cut(line, ">"); ok && strings.HasPrefix(line, "<") {
			line = rest
		}
		l.mu.Lock()
		if mark, ok := l.marks[line]; ok {
			close(mark)
		} else {
			l.lines = append(l.lines, line)
		}
		l.mu.Unlock()
	}
}

// Lines returns the lines of one daemon ("object-replicator") so far, its name cut
// off. All that was sent before the call is in the answer: a mark follows it.
func (l *Log) Lines(daemon string) ([]string, error) {
	l.mu.Lock()
	l.serial++
	word, mark := fmt.Sprintf("mark %d", l.serial), make(chan struct{})
	l.marks[word] = mark
	l.mu.Unlock()
	conn, err := net.Dial("unixgram", l.path)
	if err != nil {
		return nil, fmt.Errorf("mark the log: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(word)); err != nil {
		return nil, fmt.Errorf("mark the log: %w", err)
	}
	select {
	case <-mark:
	case <-time.After(30 * time.Second):
		return nil, fmt.Errorf("mark the log %s: no one reads", l.path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.marks, word)
	var lines []string
	for _, line := range l.lines {
		if rest, ok := strings.CutPrefix(line, daemon+": "); ok {
			lines = append(lines, rest)
		}
	}
	return lines, nil
}

func (l *Log) close() {
	if l != nil && l.conn != nil {
		l.conn.Close()
	}
}
