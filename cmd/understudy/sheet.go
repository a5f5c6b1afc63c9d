package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"understudy/internal/observe/text"
)

// sheet gathers lines that fit a terminal. What comes from disks, rings and peers is
// cleaned of what a terminal would obey.
type sheet struct{ b strings.Builder }

// line adds a line; what is longer than the terminal goes on below, indented.
func (s *sheet) line(format string, args ...any) {
	rest := text.Clean(fmt.Sprintf(format, args...))
	indent := rest[:margin(rest)]
	for utf8.RuneCountInString(rest) > text.Columns {
		at := breakAt(rest, margin(rest))
		s.b.WriteString(strings.TrimRight(rest[:at], " ") + "\n")
		rest = indent + "    " + strings.TrimLeft(rest[at:], " ")
	}
	s.b.WriteString(strings.TrimRight(rest, " ") + "\n")
}

// margin is how many blanks a line begins with.
func margin(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// breakAt is where a line that is too long is cut: at its last space that fits, if
// there is one behind the indent, else at the edge.
func breakAt(line string, indent int) int {
	edge, runes := len(line), 0
	for i := range line {
		if runes == text.Columns {
			edge = i
			break
		}
		runes++
	}
	if at := strings.LastIndexByte(line[:edge], ' '); at > indent {
		return at + 1
	}
	return edge
}

func (s *sheet) flush(out io.Writer) error {
	_, err := io.WriteString(out, s.b.String())
	return err
}
