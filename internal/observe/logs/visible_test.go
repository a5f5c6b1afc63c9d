package logs

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// What others have written cannot end a line or a datagram, begin another, or be a
// command to a terminal; what is printed stays as it is.
func TestHostileText(t *testing.T) {
	const bom = "\ufeff"
	for _, test := range []struct{ text, syslog, console string }{
		{"a b\"c'd\\é漢🙂#012", "", ""},
		{"a\nOct 11 forged: line", "a#012Oct 11 forged: line", "a\n    Oct 11 forged: line"},
		{"a\r\tb", "a#015#011b", "a#015\tb"},
		{"nul\x00end", "nul#000end", "nul#000end"},
		{"\x1b[2J\x7f", "#033[2J#177", "#033[2J#177"},
		{"\u009b2J\u0085", "#302#2332J#302#205", "#302#2332J#302#205"},
		{"a\u2028b\u202ec", "a#342#200#250b#342#200#256c", "a#342#200#250b#342#200#256c"},
		{bom, "#357#273#277", "#357#273#277"},
		{"bad \xff\xc3(", "bad \ufffd\ufffd(", "bad \ufffd\ufffd("}, // by zerolog
	} {
		if test.syslog == "" {
			test.syslog, test.console = test.text, test.text
		}
		log := func(l zerolog.Logger) { Swift(l.Error()).Msg(test.text) }
		stream := streamOf(t, log)
		if want := "swift: " + test.syslog + "\n"; stream != want {
			t.Errorf("%q: the log has %q, want %q", test.text, stream, want)
		}
		_, console, _ := strings.Cut(lines(t, Config{Format: FormatConsole}, log), " ERROR    ")
		if want := test.console + "\n"; console != want {
			t.Errorf("%q: the console has %q, want %q", test.text, console, want)
		}
		var back struct{ Message string }
		line := lines(t, Config{Format: FormatJSON}, log)
		if err := json.Unmarshal([]byte(line), &back); err != nil || back.Message != strings.ToValidUTF8(test.text, "\ufffd") && !strings.Contains(test.text, "\xff") {
			t.Errorf("%q: JSON has %q: %v", test.text, line, err)
		}
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unseen) {
			t.Errorf("%q: JSON has %q", test.text, line)
		}
	}
}

// streamOf is what syslog's form makes of an event.
func streamOf(t *testing.T, log func(zerolog.Logger)) string {
	t.Helper()
	var b strings.Builder
	log(zerolog.New(&b))
	line, _ := streamForm{swiftForm{name: "swift"}}.render(entry{json: []byte(b.String())}, debug)
	return string(line)
}

// A peer that sends no end of control characters gets a line within its bound.
func TestHostileLength(t *testing.T) {
	line := streamOf(t, func(l zerolog.Logger) { Swift(l.Error()).Msg(strings.Repeat("\x1b", 200<<10)) })
	if len(line) > maxLineBytes+1 || strings.ContainsFunc(line[:len(line)-1], unseen) {
		t.Errorf("%d bytes", len(line))
	}
}
