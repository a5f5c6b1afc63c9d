package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// timeline is the file of all that was done, one line each, and of what was wrong.
type timeline struct {
	mu    sync.Mutex
	file  *os.File
	begun time.Time
	wrong []string
}

func newTimeline(dir string) (*timeline, error) {
	f, err := os.Create(filepath.Join(dir, "timeline"))
	if err != nil {
		return nil, fmt.Errorf("begin the timeline: %w", err)
	}
	return &timeline{file: f, begun: time.Now()}, nil
}

// note writes a line with the time of day and the seconds since the beginning.
func (t *timeline) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	fmt.Fprintf(t.file, "%s %7.1f %s\n", now.UTC().Format("15:04:05.000"), now.Sub(t.begun).Seconds(), fmt.Sprintf(format, args...))
}

// fault notes what must not be. The soak goes on: it may show more.
func (t *timeline) fault(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	t.note("WRONG %s", what)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong = append(t.wrong, what)
	if len(t.wrong) <= maxShown {
		fmt.Printf("WRONG %s\n", what)
	}
}

const maxShown = 30 // faults that are told on standard output

func (t *timeline) faults() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.wrong...)
}
