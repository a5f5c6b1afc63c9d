package rsync

import (
	"bytes"
	"strings"
	"sync"
)

const (
	keepFirst = 512 << 10 // bytes
	keepLast  = 512 << 10 // bytes; the end says why rsync failed
	maxLine   = 8 << 10   // bytes of one logged line
)

// output keeps the beginning and the end of what a child prints, and counts the
// rest. It never blocks the child.
type output struct {
	mu        sync.Mutex
	head      []byte
	tail      []byte // at most twice keepLast; only the last keepLast bytes count
	total     int64
	discarded bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	o.total += int64(n)
	if o.discarded {
		return n, nil
	}
	if room := min(keepFirst-len(o.head), len(p)); room > 0 {
		o.head = append(o.head, p[:room]...)
		p = p[room:]
	}
	if len(p) > keepLast {
		p = p[len(p)-keepLast:]
	}
	if len(o.tail)+len(p) > 2*keepLast {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-keepLast:]...)
	}
	o.tail = append(o.tail, p...)
	return n, nil
}

// discard forgets everything, and what is yet to come: nobody will read it.
func (o *output) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.head, o.tail, o.discarded = nil, nil, true
}

// lines are the lines worth a log entry, and the number of bytes that were not
// kept. Text that is no UTF-8 is mended. Swift: obj/replicator.py _rsync
//
// Unlike Swift: which holds all output in memory, and raises on other encodings.
func (o *output) lines(transfers bool) (lines []string, dropped int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tail := o.tail[max(0, len(o.tail)-keepLast):]
	dropped = o.total - int64(len(o.head)+len(tail))
	kept := append(o.head[:len(o.head):len(o.head)], tail...)
	if dropped > 0 {
		kept = append(o.head[:len(o.head):len(o.head)], '\n')
		kept = append(kept, tail...)
	}
	for line := range bytes.SplitSeq(kept, []byte("\n")) {
		if len(line) == 0 || bytes.HasPrefix(line, []byte("cd+")) || line[0] == '<' && !transfers {
			continue
		}
		lines = append(lines, strings.ToValidUTF8(string(line[:min(len(line), maxLine)]), "\uFFFD"))
	}
	return lines, dropped
}

func (o *output) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total == 0
}
