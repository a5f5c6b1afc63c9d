package progress

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestText(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		spent       time.Duration
		want        string
	}{
		{0, 0, 0, "0 jobs in 0s, 0.0/s"},
		{50, 0, 100 * time.Second, "50 jobs in 1m40s, 0.5/s"},
		{50, 200, 100 * time.Second, "50 of 200 jobs (25%) in 1m40s, 0.5/s, 5m00s left"},
		{200, 200, 2 * time.Hour, "200 of 200 jobs (100%) in 2h00m, 0.0/s"},
		{300, 200, time.Second, "300 of 200 jobs (100%) in 1s, 300.0/s"},
		{0, 200, time.Second, "0 of 200 jobs (0%) in 1s, 0.0/s"},
		{1, 1 << 62, 100 * time.Hour, "1 of 4611686018427387904 jobs (0%) in 4d04h, 0.0/s, 1000d00h left"},
	} {
		if got := Text(c.done, c.total, "jobs", c.spent); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Elsewhere than on a terminal a line comes every thirty seconds, however often
// something is done.
func TestPlainLines(t *testing.T) {
	var out strings.Builder
	c := &clock{time.Unix(1000, 0)}
	l := New(Options{Out: &out, Unit: "jobs", Total: 900, Now: c.Now})
	for range 900 {
		c.now = c.now.Add(100 * time.Millisecond)
		l.Add(1)
	}
	l.End()
	want := "300 of 900 jobs (33%) in 30s, 10.0/s, 1m00s left\n" +
		"600 of 900 jobs (66%) in 1m00s, 10.0/s, 30s left\n" +
		"900 of 900 jobs (100%) in 1m30s, 10.0/s\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// On a terminal one line is drawn again, as wide as there is room, and is gone at
// the end.
func TestTerminal(t *testing.T) {
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer keyboard.Close()
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 5, Col: 30}); err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	c := &clock{time.Unix(1000, 0)}
	l := New(Options{Out: screen, Unit: "partitions", Now: c.Now})
	seen := func() string {
		b := make([]byte, 4096)
		n, err := keyboard.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	l.Add(1)
	c.now = c.now.Add(time.Second)
	l.Add(1) // the first that is drawn
	if got, want := seen(), "\r2 partitions in 1s, 2.0/s\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	c.now = c.now.Add(99 * time.Second)
	l.Add(9998)
	if got, want := seen(), "\r10000 partitions in 1m40s, 10\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	l.End()
	l.End()
	if got := seen(); got != "\r\x1b[K" {
		t.Errorf("%q", got)
	}
}

// A line of somebody else takes the place of the drawn one, which comes again below.
func TestBeside(t *testing.T) {
	var out strings.Builder
	c := &clock{time.Unix(1000, 0)}
	l := New(Options{Out: &out, Unit: "jobs", Now: c.Now})
	l.columns = func() (int, bool) { return 80, true }
	log := l.Beside(&out)
	fmt.Fprintln(log, "first")
	c.now = c.now.Add(time.Second)
	l.Set(5, 10)
	fmt.Fprintln(log, "second")
	c.now = c.now.Add(time.Second)
	l.Set(10, 10)
	l.End()
	const gone = "\r\x1b[K"
	want := "first\n" +
		"\r5 of 10 jobs (50%) in 1s, 5.0/s, 1s left\x1b[K" + gone + "second\n" +
		"\r5 of 10 jobs (50%) in 1s, 5.0/s, 1s left\x1b[K" +
		"\r10 of 10 jobs (100%) in 2s, 5.0/s\x1b[K" + gone
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
