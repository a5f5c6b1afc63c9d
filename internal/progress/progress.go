// Package progress shows how far a long piece of work is: as one line that is drawn
// again and again on a terminal, as a line now and then elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// How often something is written at most.
const (
	redrawEvery = 200 * time.Millisecond // on a terminal
	lineEvery   = 30 * time.Second       // elsewhere
)

// Options make a Line. Unit and Out are required.
type Options struct {
	Out   io.Writer
	Unit  string // what is counted, in the plural: "partitions"
	Total int64  // 0: not known

	Now func() time.Time // nil: time.Now
}

// Line is the progress of one piece of work. Its methods may be called from several
// goroutines; they write, and so may block as long as the writer does.
type Line struct {
	Options
	columns func() (int, bool)

	mu    sync.Mutex
	begun time.Time
	last  time.Time // when something was written
	done  int64
	drawn bool // a line stands on the terminal and has no end yet
}

// New begins a piece of work. Nothing is written before some time has passed.
func New(o Options) *Line {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Line{Options: o, begun: o.Now(), columns: func() (int, bool) { return width(o.Out) }}
	l.last = l.begun
	return l
}

// width is how wide a terminal is; false when the writer is none.
func width(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return 0, false
	case size.Col == 0:
		return unknownColumns, true
	}
	return int(size.Col), true
}

const unknownColumns = 80 // of a terminal that does not tell

// Terminal tells whether a line would be drawn on a writer.
func Terminal(w io.Writer) bool {
	_, ok := width(w)
	return ok
}

// Add notes that n more are done, and shows it if it is time to.
func (l *Line) Add(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += n
	l.show()
}

// Set notes how many are done of how many, and shows it if it is time to.
func (l *Line) Set(done, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done, l.Total = done, total
	l.show()
}

// show writes the line if it is time to. l.mu is held, as in what follows.
func (l *Line) show() {
	columns, terminal := l.columns()
	every := lineEvery
	if terminal {
		every = redrawEvery
	}
	now := l.Now()
	if now.Sub(l.last) < every {
		return
	}
	l.last = now
	l.write(columns, terminal, now)
}

// End takes the line off a terminal, so that what follows stands in its place.
func (l *Line) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
}

// Beside is a writer of whole lines to the same terminal: the line makes room for each,
// and is drawn again below them.
func (l *Line) Beside(w io.Writer) io.Writer { return beside{l, w} }

type beside struct {
	line *Line
	to   io.Writer
}

func (b beside) Write(p []byte) (int, error) {
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	drawn := b.line.drawn
	b.line.clear()
	n, err := b.to.Write(p)
	if columns, terminal := b.line.columns(); drawn && terminal {
		b.line.write(columns, true, b.line.Now())
	}
	return n, err
}

func (l *Line) clear() {
	if l.drawn {
		fmt.Fprint(l.Out, "\r\x1b[K")
		l.drawn = false
	}
}

func (l *Line) write(columns int, terminal bool, now time.Time) {
	text := Text(l.done, l.Total, l.Unit, now.Sub(l.begun))
	if !terminal {
		fmt.Fprintln(l.Out, text)
		return
	}
	if room := columns - 1; utf8.RuneCountInString(text) > room { // the last column would wrap on some
		text = string([]rune(text)[:max(room, 0)])
	}
	fmt.Fprint(l.Out, "\r"+text+"\x1b[K")
	l.drawn = true
}

// Text tells how far a piece of work is, how fast it goes and how long the rest will
// take at that rate. total 0 is not known.
func Text(done, total int64, unit string, spent time.Duration) string {
	rate := 0.0
	if spent > 0 {
		rate = float64(done) / spent.Seconds()
	}
	if total <= 0 {
		return fmt.Sprintf("%d %s in %s, %.1f/s", done, unit, span(spent), rate)
	}
	text := fmt.Sprintf("%d of %d %s (%d%%) in %s, %.1f/s", done, total, unit, int(100*float64(min(done, total))/float64(total)), span(spent), rate)
	if left := total - done; rate > 0 && left > 0 {
		seconds := min(float64(left)/rate, (1000 * 24 * time.Hour).Seconds())
		text += ", " + span(time.Duration(seconds*float64(time.Second))) + " left"
	}
	return text
}

// span writes a duration with its two largest units.
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}
