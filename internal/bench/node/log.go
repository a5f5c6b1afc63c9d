package node

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
)

// Log is what the node's programs send to their log_address.
type Log struct {
	conn *net.UnixConn
	mu   sync.Mutex
	last []string // the latest lines, oldest first
}

// keptLines bounds what is kept of a log.
const keptLines = 2000

func listenLog(path string) (*Log, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for log lines: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, fmt.Errorf("open the log socket: %w", err)
	}
	l := &Log{conn: conn}
	go l.read()
	return l, nil
}

func (l *Log) read() {
	buf := make([]byte, 1<<16)
	for {
		n, err := l.conn.Read(buf)
		if err != nil {
			return // closed
		}
		l.mu.Lock()
		if len(l.last) == keptLines {
			l.last = slices.Delete(l.last, 0, keptLines/2)
		}
		l.last = append(l.last, strings.TrimRight(string(buf[:n]), "\x00\n"))
		l.mu.Unlock()
	}
}

// Tail are the latest lines.
func (l *Log) Tail(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.last[max(0, len(l.last)-n):])
}

func (l *Log) close() {
	if l != nil {
		l.conn.Close()
	}
}
