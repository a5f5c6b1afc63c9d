package logs

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLineBytes bounds a line as it leaves: a UDP datagram holds no more than 65507.
//
// Unlike Swift: which loses a line that the socket refuses as too long; ours is cut.
const maxLineBytes = 64000

// form turns an event into the bytes that a destination takes. With ok false the
// event is below the destination's level and is not written.
type form interface {
	render(e entry, worst severity) (line []byte, ok bool)
}

// swiftForm is Swift's line: `name: message`, with #012 for each line break, and nothing
// else in it that is not seen.
type swiftForm struct {
	name      string
	maxLength int
}

func (f swiftForm) line(e event) string {
	b := append([]byte(f.name), ": "...)
	line := strings.ReplaceAll(string(e.appendText(b)), "\n", "#012")
	return cut(visible(cut(shorten(line, f.maxLength), maxLineBytes), ""), maxLineBytes)
}

// shorten applies log_max_line_length, which counts characters.
//
// Swift: common/utils.py SwiftLogFormatter.format.
func shorten(line string, limit int) string {
	if limit <= 0 || utf8.RuneCountInString(line) <= limit {
		return line
	}
	r := []rune(line)
	if limit < 7 {
		return string(r[:limit])
	}
	half := (limit - 5) / 2
	return string(r[:half]) + " ... " + string(r[len(r)-half:])
}

// cut keeps at most limit bytes and whole characters.
func cut(line string, limit int) string {
	if len(line) <= limit {
		return line
	}
	for limit > 0 && !utf8.RuneStart(line[limit]) {
		limit--
	}
	return line[:limit]
}

// syslogForm is Swift's datagram: `<PRI>name: message` and a NUL.
type syslogForm struct {
	swiftForm
	facility int
}

func (f syslogForm) render(en entry, worst severity) ([]byte, bool) {
	e := en.event()
	if e.severity > worst {
		return nil, false
	}
	return fmt.Appendf(nil, "<%d>%s\x00", f.facility<<3|int(e.severity), f.line(e)), true
}

// streamForm is what Swift prints on stderr when it is verbose.
type streamForm struct{ swiftForm }

func (f streamForm) render(en entry, worst severity) ([]byte, bool) {
	e := en.event()
	if e.severity > worst {
		return nil, false
	}
	return append([]byte(f.line(e)), '\n'), true
}

// consoleForm is for a person at a terminal: time, level, message, fields.
type consoleForm struct{}

func (consoleForm) render(en entry, worst severity) ([]byte, bool) {
	e := en.event()
	if e.severity > worst {
		return nil, false
	}
	text := cut(indented(string(e.appendText(nil))), maxLineBytes)
	return fmt.Appendf(nil, "%s %-8s %s\n", en.at.UTC().Format("15:04:05.000"), e.severity, text), true
}

// jsonForm is zerolog's JSON with the time in front and without the marker.
type jsonForm struct{}

var (
	timeKey     = []byte(`"time":`)
	emptyObject = []byte("{}")
)

func (jsonForm) render(en entry, worst severity) ([]byte, bool) {
	if e := en.event(); e.severity > worst {
		return nil, false
	}
	p := visibleJSON(withoutMarker(en.json))
	if bytes.Contains(p, timeKey) || !bytes.HasPrefix(p, []byte("{")) || bytes.Equal(bytes.TrimSpace(p), emptyObject) {
		return p, true
	}
	line := fmt.Appendf(nil, `{"time":%q,`, en.at.UTC().Format(time.RFC3339Nano))
	return append(line, p[1:]...), true
}

// withoutMarker relies on zerolog's spelling. Quotes inside a string are escaped,
// so a brace or comma before the marker's first quote means that it is a key.
func withoutMarker(p []byte) []byte {
	for _, m := range [][2]string{{`,"swift":true`, ``}, {`{"swift":true,`, `{`}, {`{"swift":true}`, `{}`}} {
		if bytes.Contains(p, []byte(m[0])) {
			return bytes.Replace(p, []byte(m[0]), []byte(m[1]), 1)
		}
	}
	return p
}
