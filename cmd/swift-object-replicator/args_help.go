package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// The layout of help, as Python's optparse.IndentedHelpFormatter has it.
const (
	defaultColumns  = 80
	optionIndent    = 2
	maxHelpPosition = 24
	minHelpWidth    = 11
)

func usage(prog string) string { return fmt.Sprintf("Usage: %s CONFIG [options]\n", prog) }

func help(prog string) string {
	width := columns() - 2
	position := min(maxHelpPosition, max(width-20, 2*optionIndent))
	longest := 0
	for _, o := range options {
		longest = max(longest, len(o.names())+optionIndent)
	}
	position = min(position, longest+2)

	var b strings.Builder
	b.WriteString(usage(prog) + "\nOptions:\n")
	for _, o := range options {
		lines := wrap(o.help, max(width-position, minHelpWidth))
		room := position - optionIndent - 2
		if names := o.names(); len(names) > room {
			fmt.Fprintf(&b, "%*s%s\n%*s%s\n", optionIndent, "", names, position, "", lines[0])
		} else {
			fmt.Fprintf(&b, "%*s%-*s  %s\n", optionIndent, "", room, names, lines[0])
		}
		for _, line := range lines[1:] {
			fmt.Fprintf(&b, "%*s%s\n", position, "", line)
		}
	}
	return b.String()
}

// columns is the terminal's width as the environment tells it.
func columns() int {
	n, err := strconv.Atoi(strings.TrimSpace(os.Getenv("COLUMNS")))
	if err != nil {
		return defaultColumns
	}
	return n
}

func (o option) names() string {
	if !o.takesValue {
		return o.short + ", " + o.long
	}
	meta := strings.ToUpper(o.dest)
	return fmt.Sprintf("%s %s, %s=%s", o.short, meta, o.long, meta)
}

// wrap breaks text into lines of at most width characters, at blanks and after the
// hyphen of a compound word. No piece of the texts above is wider than minHelpWidth.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		gap := " "
		for _, piece := range pieces(word) {
			if line != "" && len(line)+len(gap)+len(piece) > width {
				lines, line = append(lines, line), ""
			}
			if line != "" {
				line += gap
			}
			line += piece
			gap = ""
		}
	}
	return append(lines, line)
}

// pieces splits Comma-separated after the hyphen, but not --once.
func pieces(word string) []string {
	i := strings.IndexByte(word, '-')
	if i <= 0 || i == len(word)-1 || !unicode.IsLetter(rune(word[i-1])) || !unicode.IsLetter(rune(word[i+1])) {
		return []string{word}
	}
	return []string{word[:i+1], word[i+1:]}
}
