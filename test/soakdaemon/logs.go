package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// line is what counts of a line of a daemon's log.
type line struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
	State   string    `json:"state"`
	Event   string    `json:"event"`
	Actor   string    `json:"actor"`
	Why     string    `json:"why"`
}

const (
	ringTaken   = "rings changed: jobs take their roles from the new ones"
	ringRefused = "ring file cannot be used, the earlier one is kept"
)

// bugs are signs of one of ours, in whatever form they come.
var bugs = []string{"panic: ", "fatal error: ", "DATA RACE", "UNCAUGHT EXCEPTION", "crashed", "left the engine before its end"}

// readLogs counts what the daemons have told of disks, rings and supervision, and looks
// for bugs.
func (s *soak) readLogs() (map[string]int, error) {
	told := map[string]int{}
	for _, d := range s.daemons {
		for _, path := range d.logs {
			if err := s.readLog(path, told); err != nil {
				return nil, err
			}
		}
	}
	return told, nil
}

func (s *soak) readLog(path string, told map[string]int) error {
	return eachLine(path, func(l line, text string) {
		for _, bug := range bugs {
			if strings.Contains(text, bug) {
				s.fault("%s: %.500s", path, text)
				break
			}
		}
		switch {
		case l.Message == "device out of service", l.Message == "device is back in service":
			told[l.Message+" "+l.State]++
		case strings.HasPrefix(l.Message, "disk is "), l.Message == "configuration reloaded",
			l.Message == ringTaken, l.Message == ringRefused, strings.HasPrefix(l.Message, "going on with"):
			told[l.Message]++
		case l.Message == "supervision" && l.Event == "crash":
			s.fault("%s: %s crashed: %s", path, l.Actor, l.Why)
		case l.Message == "supervision":
			told["supervision "+l.Event]++
		}
	})
}

// eachLine reads a log. Lines that are no JSON, such as stacks, are only text.
func eachLine(path string, each func(l line, text string)) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read a daemon's log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			l = line{}
		}
		each(l, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read a daemon's log: %w", err)
	}
	return nil
}

// noticed says what daemons must have told of, had each of these deeds been done often.
var noticed = map[string]string{
	"freeze": "device out of service stalled", "hang": "device out of service stalled",
	"die": "device out of service failing", "fail": "device out of service failing",
	"unmount": "device out of service unmounted", "fill": "disk is full", "read-only": "disk is read-only",
	"spoil ring": ringRefused, "change ring": ringTaken, "reload": "configuration reloaded",
}

// often is how many times a trouble can come without being noticed: it was over before.
const often = 5

// wantTold demands that the troubles were noticed: else this soak shows nothing.
func (s *soak) wantTold(told map[string]int) {
	for kind, words := range noticed {
		if s.counts[kind] >= often && told[words] == 0 {
			s.fault("%d times %q, and no daemon has told %q", s.counts[kind], kind, words)
		}
	}
}
