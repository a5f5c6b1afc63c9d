package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"understudy/internal/observe/text"
)

// terminalSize tells whether a writer is a terminal, and how large that is.
func terminalSize(w io.Writer) (rows, columns int, ok bool) {
	f, is := w.(*os.File)
	if !is {
		return 0, 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(size.Row), int(size.Col), true
}

// styleFor is how text looks on a writer: in colour on a terminal only, and not
// where NO_COLOR is set (no-color.org); never wider than text.Columns.
func styleFor(w io.Writer) text.Style {
	_, columns, terminal := terminalSize(w)
	s := text.Style{Color: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if terminal && columns > 0 && columns < text.Columns {
		s.Width = columns
	}
	return s
}
