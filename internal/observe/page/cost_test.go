package page

import (
	"encoding/json"
	"testing"
	"time"

	"understudy/internal/observe/status/statustest"
)

// What one second of an open page costs: a frame and what changed in it.
func BenchmarkUpdate(b *testing.B) {
	at, v := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), viewer{}
	report := statustest.Node(100, at)
	sent := 0
	var last *frame
	for b.Loop() {
		next := *report
		at = at.Add(time.Second)
		next.At = at
		f, err := newFrame(&next, last)
		if err != nil {
			b.Fatal(err)
		}
		last = f
		text, err := json.Marshal(v.next(f, nil))
		if err != nil {
			b.Fatal(err)
		}
		sent += len(text)
	}
	b.ReportMetric(float64(sent)/float64(b.N), "B/update")
}

func BenchmarkReportJSON(b *testing.B) {
	report := statustest.Node(100, time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	for b.Loop() {
		text, err := json.Marshal(report)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "B")
	}
}
