package lab

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"time"

	"understudy/internal/fault"
	"understudy/internal/lab/links"
	"understudy/messages"
)

// order is one line that a node's process reads. Run and stop are about engines.
type order struct {
	ID   int
	Do   string // run, stop, load, counts, power-cut, linger
	Once bool   // of run: one pass
	Run  int    // of stop: the ID of the run
	Plan string // of load
	// Linger, of linger, is how long what is on its way out may take in the end.
	Linger time.Duration
}

// told is one line that a node's process writes: an answer to an order, or a log line.
type told struct {
	ID     int             `json:",omitempty"`
	Ready  bool            `json:",omitempty"`
	Stats  *messages.Stats `json:",omitempty"`
	Counts []fault.Count   `json:",omitempty"`
	Err    string          `json:",omitempty"`
	Log    json.RawMessage `json:",omitempty"`
	Leaks  []string        `json:",omitempty"` // the last words: what is left at the end
}

// Orders of a node's process.
const (
	doRun      = "run"
	doStop     = "stop"
	doLoad     = "load"
	doCounts   = "counts"
	doPowerCut = "power-cut"
	doLinger   = "linger"
)

// NameAt is what scenarios call the node with an address, "" when it is none of a lab.
func NameAt(host, _ string) string {
	if n := links.NodeAt(host); n > 0 {
		return WorldNode{Number: n}.Name()
	}
	ip := net.ParseIP(host).To4()
	if ip == nil || !strings.HasPrefix(host, "127.0.1.") {
		return ""
	}
	return WorldNode{Number: int(ip[3])}.Name()
}

// numbered is the number of a node with such a name, 0 if it is none.
func numbered(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "n"))
	if err != nil || n < 1 || n > MaxNodes {
		return 0
	}
	return n
}
