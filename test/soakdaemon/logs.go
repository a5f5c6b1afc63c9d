package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// line is what counts of a line of a daemon's log.
type line struct {
	Message string `json:"message"`
	State   string `json:"state"`
	Event   string `json:"event"`
	Actor   string `json:"actor"`
	Why     string `json:"why"`
}

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
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read a daemon's log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		text := lines.Text()
		for _, bug := range bugs {
			if strings.Contains(text, bug) {
				s.fault("%s: %.500s", path, text)
				break
			}
		}
		var l line
		if json.Unmarshal([]byte(text), &l) != nil {
			continue // a stack, after a signal that asks for it
		}
		switch {
		case l.Message == "device out of service", l.Message == "device is back in service":
			told[l.Message+" "+l.State]++
		case strings.HasPrefix(l.Message, "disk is "), l.Message == "configuration reloaded",
			strings.HasPrefix(l.Message, "going on with"), strings.HasPrefix(l.Message, "rings changed"):
			told[l.Message]++
		case l.Message == "supervision" && l.Event == "crash":
			s.fault("%s: %s crashed: %s", path, l.Actor, l.Why)
		case l.Message == "supervision":
			told["supervision "+l.Event]++
		}
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
