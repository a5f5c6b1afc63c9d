// Package text shows a node on a terminal. What it writes never exceeds the width
// that it is given, and holds no control characters but its own: names and errors
// come from rings, disks and peers.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Columns is the width of everything unless a Style says otherwise.
const Columns = 80

// Style is how a text is laid out.
type Style struct {
	Color bool // ANSI colours
	Width int  // columns; 0 is Columns
}

// ink is a colour of a terminal, as the number of its SGR sequence.
type ink string

const (
	plain  ink = ""
	bold   ink = "1"
	faint  ink = "2"
	red    ink = "31"
	green  ink = "32"
	yellow ink = "33"
)

// span is a piece of a line in one colour.
type span struct {
	text string
	ink  ink
}

// sheet collects lines.
type sheet struct {
	style Style
	b     strings.Builder
}

func newSheet(s Style) *sheet {
	if s.Width <= 0 {
		s.Width = Columns
	}
	return &sheet{style: s}
}

func (s *sheet) String() string { return s.b.String() }

// line writes spans one after the other and cuts what does not fit.
func (s *sheet) line(spans ...span) {
	room := s.style.Width
	texts := make([]string, len(spans))
	for i, p := range spans {
		texts[i] = Cut(Clean(p.text), room)
		room -= width(texts[i])
	}
	for i := len(texts) - 1; i >= 0; i-- { // no blanks at the end
		if texts[i] = strings.TrimRight(texts[i], " "); texts[i] != "" {
			break
		}
	}
	for i, text := range texts {
		if s.style.Color && spans[i].ink != plain && text != "" {
			text = "\x1b[" + string(spans[i].ink) + "m" + text + "\x1b[0m"
		}
		s.b.WriteString(text)
	}
	s.b.WriteByte('\n')
}

// put writes one line in one colour.
func (s *sheet) put(text string, i ink) { s.line(span{text, i}) }

func (s *sheet) blank() { s.b.WriteByte('\n') }

// most is how many lines a paragraph may take.
const most = 4

// paragraph writes text behind a label and breaks it between words. What does not
// fit into a few lines is cut.
func (s *sheet) paragraph(label, text string, i ink) {
	indent := strings.Repeat(" ", width(label))
	lines := wrap(Clean(text), s.style.Width-len(indent), most)
	for n, l := range lines {
		if n > 0 {
			label = indent
		}
		s.line(span{label, plain}, span{l, i})
	}
}

// wrap breaks a text into lines of at most room columns; the last of the most lines
// that it may take is cut.
func wrap(text string, room, most int) (lines []string) {
	words := strings.Fields(text)
	for len(words) > 0 {
		if len(lines) == most-1 {
			return append(lines, Cut(strings.Join(words, " "), room))
		}
		n, used := 1, width(words[0])
		for n < len(words) && used+1+width(words[n]) <= room {
			used += 1 + width(words[n])
			n++
		}
		lines = append(lines, Cut(strings.Join(words[:n], " "), room))
		words = words[n:]
	}
	return lines
}

// Clean makes one harmless line of any bytes: control characters and what is no
// UTF-8 become question marks, line ends and tabs blanks.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r) || unicode.Is(unicode.Mn, r):
			return '?'
		}
		return r
	}, text)
}

// Cut shortens text to so many columns; a dot dot dot says so.
func Cut(text string, room int) string {
	if width(text) <= room {
		return text
	}
	const dots = "..."
	if room <= len(dots) {
		return dots[:max(room, 0)]
	}
	used := 0
	for i, r := range text {
		if used += columns(r); used > room-len(dots) {
			return strings.TrimRight(text[:i], " ") + dots
		}
	}
	return text
}

func width(text string) (n int) {
	for _, r := range text {
		n += columns(r)
	}
	return n
}

// columns: what lies beyond the alphabets and the box drawings may be wide, so it
// counts twice. A line is rather too short than too long.
func columns(r rune) int {
	if r >= 0x1100 && (r < 0x2000 || r >= 0x2e80) {
		return 2
	}
	return 1
}

// pad fills text with blanks on the right.
func pad(text string, to int) string {
	text = Cut(Clean(text), to)
	return text + strings.Repeat(" ", to-width(text))
}

// column fills text with blanks, and lets what is longer stick out.
func column(text string, least int) string {
	text = Clean(text)
	return text + strings.Repeat(" ", 2+max(0, least-width(text)))
}
