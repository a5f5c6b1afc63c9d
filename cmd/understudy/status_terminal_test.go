package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/observe/text"
)

// openTerminal is both ends of a terminal of a size.
func openTerminal(t *testing.T, rows, columns uint16) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	return keyboard, screen
}

// seen is what was written to a terminal since the last call.
func seen(t *testing.T, keyboard *os.File) string {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := keyboard.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b[:n]), "\r\n", "\n")
}

// On a terminal a block takes the place of the one before, and no more room than
// there is.
func TestScreenOnATerminal(t *testing.T) {
	keyboard, out := openTerminal(t, 6, 80)
	s := newScreen(out, nil)
	if err := s.draw("a\nb\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := seen(t, keyboard), clearScreen+hideCursor+home+"a"+clearLine+"\nb"+clearLine+"\n"+clearBelow; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := s.draw(strings.Repeat("x\n", 10)); err != nil {
		t.Fatal(err)
	}
	got := seen(t, keyboard)
	if !strings.HasPrefix(got, home) || strings.Count(got, "\n") != 5 || !strings.Contains(got, "... 6 more lines") {
		t.Errorf("%q", got)
	}
	if err := s.trouble(os.ErrClosed); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, keyboard); got != "\rfile already closed; trying again"+clearLine {
		t.Errorf("%q", got)
	}
	s.end()
	if got := seen(t, keyboard); !strings.Contains(got, showCursor) {
		t.Errorf("%q", got)
	}
}

// Colours are for terminals, and for those who want them; a narrow one is minded.
func TestStyle(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	_, out := openTerminal(t, 24, 60)
	if got := styleFor(out); got != (text.Style{Color: true, Width: 60}) {
		t.Errorf("%+v", got)
	}
	_, wide := openTerminal(t, 24, 200)
	if got := styleFor(wide); got != (text.Style{Color: true}) {
		t.Errorf("%+v", got)
	}
	t.Setenv("NO_COLOR", "1")
	if got := styleFor(wide); got.Color {
		t.Error("colours in spite of NO_COLOR")
	}
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	if got := styleFor(wide); got.Color {
		t.Error("colours on a dumb terminal")
	}
	file, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := styleFor(file); got != (text.Style{}) {
		t.Errorf("%+v", got)
	}
}
