package stage

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Event is one line of the timeline.
type Event struct {
	At   time.Duration // since the scenario began
	Node string        // n1; empty: the whole
	What string
}

// maxEvents bounds a timeline; what comes later is counted only.
const maxEvents = 2000

// sameLines is how often a node may say the same, but for numbers, between two steps.
const sameLines = 3

// diary writes down what happens, and what of it can be expected.
type diary struct {
	begun time.Time
	tell  func(Event)

	mu      sync.Mutex
	events  []Event
	dropped int
	like    map[string]int // lines since the last step, by what they have in common
	states  map[string]int // "n1/d1 stalled": how often
	now     map[string]string
	log     []string // messages of the nodes at level info and above, bounded
	crashes int
}

func newDiary(begun time.Time, tell func(Event)) *diary {
	return &diary{begun: begun, tell: tell, like: map[string]int{}, states: map[string]int{}, now: map[string]string{}}
}

// say adds a line.
func (d *diary) say(node, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(node, fmt.Sprintf(format, args...))
}

func (d *diary) add(node, what string) {
	if len(d.events) >= maxEvents {
		d.dropped++
		return
	}
	e := Event{time.Since(d.begun), node, printable(what)}
	d.events = append(d.events, e)
	if d.tell != nil {
		d.tell(e)
	}
}

// maxWords is how much of one event is kept, in bytes.
const maxWords = 400

// printable makes a text fit to be shown: a peer may have had a hand in it.
func printable(text string) string {
	if len(text) > maxWords {
		text = text[:maxWords] + "…"
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if !strconv.IsPrint(r) {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// turn begins a step: what was said before may be said again, and what was left out is
// counted.
func (d *diary) turn(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	more := 0
	for _, n := range d.like {
		more += max(0, n-sameLines)
	}
	if more > 0 {
		d.add("", fmt.Sprintf("  … %d more lines like these", more))
	}
	d.like = map[string]int{}
	d.add("", "▶ "+what)
}

// logger is the log of a node.
func (d *diary) logger(node int) zerolog.Logger {
	return zerolog.New(&nodeLog{d, "n" + strconv.Itoa(node)}).Level(zerolog.InfoLevel)
}

type nodeLog struct {
	diary *diary
	node  string
}

var _ io.Writer = (*nodeLog)(nil)

// Write takes one line of JSON.
func (l *nodeLog) Write(line []byte) (int, error) {
	var m map[string]any
	if json.Unmarshal(line, &m) == nil {
		l.diary.hear(l.node, m)
	}
	return len(line), nil
}

// heard takes a line of the log of a node that is a process.
func (d *diary) heard(node int, line []byte) {
	_, _ = (&nodeLog{d, "n" + strconv.Itoa(node)}).Write(line) // never fails
}

// maxLog bounds the messages that are kept to be looked for.
const maxLog = 20_000

// hear takes note of a line of a node's log, and shows it when it is a warning.
func (d *diary) hear(node string, m map[string]any) {
	text := func(key string) string { s, _ := m[key].(string); return s }
	message, level, device := text("message"), text("level"), text("device")
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.log) < maxLog {
		d.log = append(d.log, node+" "+message)
	}
	switch message {
	case "device out of service":
		d.state(node+"/"+device, text("state"))
		message = device + " is " + text("state") + ": " + text("why")
	case "device is back in service":
		d.state(node+"/"+device, "back")
		message = device + " is back"
	case "actor panicked":
		d.crashes++
	case "supervision":
		return // the lines beside it say the same
	}
	if level == "info" || level == "debug" {
		return
	}
	for _, key := range []string{"actor", "peer"} {
		if about := text(key); about != "" {
			message += " (" + about + ")"
		}
	}
	if e := text("error"); e != "" && !strings.Contains(message, e) {
		message += ": " + e
	}
	key := node + likeness.ReplaceAllString(message, "#")
	if d.like[key]++; d.like[key] <= sameLines {
		d.add(node, message)
	}
}

// likeness is in what lines that say the same differ.
var likeness = regexp.MustCompile(`[0-9a-f]{3,}|[0-9]+`)

// state notes what a device has become. The caller holds mu.
func (d *diary) state(device, state string) {
	d.states[device+" "+state]++
	d.now[device] = state
}

// was tells how often a device that a pattern fits was in a state.
func (d *diary) was(fits func(device string) bool, state string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, times := range d.states {
		if device, s, _ := strings.Cut(key, " "); s == state && fits(device) {
			n += times
		}
	}
	return n
}

// logged counts lines of the nodes' logs with some words in them.
func (d *diary) logged(words string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.log {
		if strings.Contains(line, words) {
			n++
		}
	}
	return n
}
