package text

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"understudy/internal/observe/status"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

func fixture(t *testing.T, name string) *status.Report {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r := &status.Report{}
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// views are all texts of a report.
var views = map[string]func(*status.Report, Style) string{
	"status": Status, "device": Device, "tree": Tree, "limits": Limits,
	"events": func(r *status.Report, s Style) string { return Events(r.Events, s) },
}

// Every text looks as it did. No line is wider than asked for, whatever the names,
// numbers and errors are, and nothing in it moves a cursor or rings a bell.
func TestTexts(t *testing.T) {
	for _, name := range []string{"degraded", "healthy", "hostile"} {
		r := fixture(t, name)
		for view, show := range views {
			got := show(r, Style{})
			path := filepath.Join("testdata", name+"."+view+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s of %s is\n%s\nwant (go test -update)\n%s", view, name, got, want)
			}
			for _, columns := range []int{1, 10, 40, 80, 200} {
				harmless(t, show(r, Style{Width: columns}), columns)
			}
		}
	}
}

func harmless(t *testing.T, text string, columns int) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if width(line) > columns || strings.HasSuffix(line, " ") {
			t.Errorf("%d columns of %d: %q", width(line), columns, line)
		}
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Errorf("%q in %q", r, line)
			}
		}
	}
}

// Colours change no letter: without them the text is the same.
func TestColours(t *testing.T) {
	r := fixture(t, "degraded")
	for view, show := range views {
		coloured := show(r, Style{Color: true})
		bare := coloured
		for _, i := range []ink{bold, faint, red, green, yellow, "0"} {
			bare = strings.ReplaceAll(bare, "\x1b["+string(i)+"m", "")
		}
		if bare != show(r, Style{}) {
			t.Errorf("%s: %q", view, coloured)
		}
		if view != "tree" && bare == coloured {
			t.Errorf("%s has no colours", view)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		Span(-time.Second): "0s", Span(99 * time.Second): "99s", Span(100 * time.Second): "1m", Span(99 * time.Minute): "99m",
		Span(3*time.Hour + 5*time.Minute): "3h05m", Span(47*time.Hour + 59*time.Minute): "47h59m", Span(50 * time.Hour): "2d02h",
		Span(100 * 24 * time.Hour): "100d", seconds(-1): "?", seconds(1e300): "never", seconds(4920): "82m",
		Bytes(0): "0 B", Bytes(1023): "1023 B", Bytes(1024): "1.0 KiB", Bytes(10 << 20): "10 MiB", Bytes(1<<20 - 1): "1.0 MiB", Bytes(1 << 62): "4.0 EiB",
		Count(9999): "9999", Count(10000): "10k", Count(1234567): "1.2M", Count(999999): "1.0M",
		percent(0, 0): "-", percent(1, 3): "33%", percent(999, 1000): "99%", percent(7, 7): "100%", percent(8, 7): "100%",
		rate(0): "0/s", rate(0.04): "0.0/s", rate(9.94): "9.9/s", rate(12345): "12k/s", rate(1e300): "1.0E/s",
		plural(1, "crash"): "1 crash", plural(2, "crash"): "2 crashes", plural(0, "job"): "0 jobs", plural(3, "complete pass"): "3 complete passes",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		room int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "..."}, {"abcdef", 5, "ab..."}, {"abcdef", 0, ""}, {"a", -1, ""}, {"ab cdef", 6, "ab..."}, {"界界界", 5, "界..."},
	} {
		if got := Cut(c.text, c.room); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.room, got, c.want)
		}
	}
}

// What was seen is not shown again, though the oldest fall out.
func TestNewEvents(t *testing.T) {
	at := func(n ...int) (out []status.Event) {
		for _, i := range n {
			out = append(out, status.Event{At: time.Unix(int64(i/10), 0), Kind: "device", Subject: "d"})
		}
		return out
	}
	for _, c := range []struct {
		before, now []status.Event
		want        int
	}{
		{nil, at(10, 20), 2},
		{at(10, 20), at(10, 20), 0},
		{at(10, 20), at(10, 20, 30), 1},
		{at(10, 20, 30), at(20, 30, 40, 50), 2},
		{at(10, 20, 30), at(40, 50), 2},
		{at(10, 20), nil, 0},
		{at(10, 11, 12), at(11, 12, 13), 0}, // alike in all: nobody could tell
		{at(10, 20, 20), at(20, 20, 20, 30), 2},
	} {
		if got := NewEvents(c.before, c.now); len(got) != c.want {
			t.Errorf("%v, then %v: %d new, want %d", c.before, c.now, len(got), c.want)
		}
	}
}
