package page

import (
	"strings"
	"testing"
	"time"

	"understudy/internal/observe/status/statustest"
	"understudy/messages"
)

// Of many devices some are rendered anew in each frame, every one within a few seconds;
// one that gets into trouble, or whose pause runs out, at once.
func TestRowsTakeTurns(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	report := statustest.Node(100, at)
	var last *frame
	shown := map[string]string{}
	changed := map[string]int{}
	for second := range 6 {
		next := *report
		next.At = at.Add(time.Duration(second) * time.Minute) // every age is another one
		f, err := newFrame(&next, last)
		if err != nil {
			t.Fatal(err)
		}
		fresh := 0
		for _, s := range f.sections {
			if f.rows[s.ID].html == "" {
				continue
			}
			if shown[s.ID] != s.HTML {
				fresh++
				changed[s.ID]++
			}
			shown[s.ID] = s.HTML
		}
		if second > 0 && (fresh > freshRows+5 || fresh == 0) {
			t.Errorf("frame %d: %d of 100 rows are new", second, fresh)
		}
		last = f
	}
	for id, n := range changed {
		if n < 2 {
			t.Errorf("row %s has not been rendered again in 5 frames", id)
		}
	}
	for i := range report.Devices {
		if report.Devices[i].InService {
			report.Devices[i].State, report.Devices[i].InService, report.Devices[i].Why = messages.StateStalled, false, "a call hangs"
		}
	}
	f, err := newFrame(report, last)
	if err != nil {
		t.Fatal(err)
	}
	stalled := 0
	for _, s := range f.sections {
		if f.rows[s.ID].html != "" && strings.Contains(s.HTML, "stalled") {
			stalled++
		}
	}
	if stalled < 90 {
		t.Errorf("only %d of 100 rows tell that their device is stalled", stalled)
	}
}
