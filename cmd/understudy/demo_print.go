package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"understudy/internal/lab"
)

// What the demo prints fits into a small terminal and a mail.
const (
	demoLines   = 15
	demoColumns = 80
)

// demoPrinter prints and counts the lines.
type demoPrinter struct {
	out      io.Writer
	progress io.Writer // where it is shown how far a step is
	lines    int
}

// printf prints a line, or several.
func (p *demoPrinter) printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...) + "\n"
	p.lines += strings.Count(text, "\n")
	fmt.Fprint(p.out, text)
}

// step prints what was done and how long it took.
func (p *demoPrinter) step(name string, took time.Duration, format string, args ...any) {
	p.printf("%-9s%-62s%7.2f s", name, fmt.Sprintf(format, args...), took.Seconds())
}

// end prints the verdict. The error is that it is bad.
func (p *demoPrinter) end(c *lab.Cluster, v *lab.Verdict, lost loss) error {
	if v.OK() {
		p.printf("\nAll copies are back: %s.", v)
		p.printf("Restored %s, %s in %.2f s: %.0f copies/s, %s/s.", plural(lost.copies, "copy"), size(lost.bytes),
			lost.spent.Seconds(), rate(float64(lost.copies), lost.spent), size(int64(rate(float64(lost.bytes), lost.spent))))
		return nil
	}
	for _, problem := range v.Problems[:min(2, len(v.Problems))] {
		p.printf("%s", cut(fmt.Sprintf("%s: %s: %s", problem.Kind, problem.Where, problem.What), demoColumns))
		if problem.Path != "" {
			p.printf("  %s", cut(problem.Path, demoColumns-2))
		}
	}
	const rest = 2 // the error and the kept folder
	for _, line := range logTail(c.LogPath(), demoLines-p.lines-rest) {
		p.printf("%s", cut(line, demoColumns))
	}
	return fmt.Errorf("demo failed: %s", v)
}

// logTail are the last lines of a log that tell of trouble.
func logTail(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil || n <= 0 {
		return nil
	}
	defer f.Close()
	var tail []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := lines.Text(); strings.Contains(line, "WARN") || strings.Contains(line, "ERR") {
			tail = append(tail, line)
			tail = tail[max(0, len(tail)-n):]
		}
	}
	return tail
}

func rate(n float64, d time.Duration) float64 { return n / max(d, time.Millisecond).Seconds() }

// cut shortens a line to so many characters.
func cut(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	return string([]rune(line)[:columns-1]) + "…"
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ies"
	case strings.HasSuffix(noun, "sh"), strings.HasSuffix(noun, "x"):
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// size writes bytes as people do.
func size(bytes int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	n, unit := float64(bytes), 0
	for n >= 1024 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", n, units[unit])
}
