package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
)

// lines logs through a Logs that writes to a buffer and returns what was written.
func lines(t *testing.T, c Config, log func(zerolog.Logger)) string {
	t.Helper()
	var b bytes.Buffer
	c.Stderr = &b
	l := open(t, c)
	log(l.Logger)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	l := zerolog.New(&b)
	for _, c := range []struct {
		event *zerolog.Event
		want  string
	}{
		{l.Info().Str("device", "sda").Int("partition", 7).Float64("elapsed", 1.5), "m device=sda partition=7 elapsed=1.5"},
		{l.Error().Err(errors.New("read x: no\nsuch")).Str("peer", "[::1]:6200/sda"), `m peer=[::1]:6200/sda error="read x: no\nsuch"`},
		{l.Info().Str("a", "").Str("b", "a b").Str("c", `q"`).Str("d", "k=v").Str("e", "é").Str("f", "\x00"), `m a="" b="a b" c="q\"" d="k=v" e=é f="\x00"`},
		{l.Info().Bool("ok", true).Strs("s", []string{"a", "b"}).Interface("n", nil), `m ok=true s="[\"a\",\"b\"]" n=null`},
		{l.Info().Time("time", time.Now()).Int("i", 1).Int("i", 2), "m i=1 i=2"},
		{Swift(l.Info().Str("device", "sda")).Err(errors.New("x")), "m"},
		{l.Info().Bool("swift", false), "m"},
		{l.Info().Str("swift", "true"), "m"},
	} {
		b.Reset()
		c.event.Msg("m")
		e, err := decode(b.Bytes())
		if got := string(e.appendText(nil)); err != nil || got != c.want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", b.String(), got, err, c.want)
		}
	}
	e, err := decode([]byte(`{"level":"warn","device":"sda"}`))
	if got := string(e.appendText(nil)); err != nil || got != "device=sda" {
		t.Errorf("without a message: %q, %v", got, err)
	}
}

func TestJSON(t *testing.T) {
	out := lines(t, Config{Format: FormatJSON}, func(l zerolog.Logger) {
		Swift(l.Info().Str("device", "sda")).Str("text", `"swift":true,`).Msg("Starting 1\nx")
		Swift(Notice(l)).Int("pid", 1).Msg("Exited 1")
		Critical(l).Msg("bad")
		l.Log().Bool("swift", true).Send()
		l.Debug().Msg("filtered")
	})
	want := []string{
		`"level":"info","device":"sda","text":"\"swift\":true,","message":"Starting 1\nx"}`,
		`"level":"notice","pid":1,"message":"Exited 1"}`,
		`"level":"critical","message":"bad"}`,
		`{}`,
	}
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines:\n%s", len(got), out)
	}
	stamp := regexp.MustCompile(`^{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",`)
	for i, line := range got {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
		if line != "{}" {
			if !stamp.MatchString(line) {
				t.Errorf("no time in %s", line)
			}
			line = stamp.ReplaceAllString(line, "")
		}
		if line != want[i] {
			t.Errorf("got %s, want %s", line, want[i])
		}
	}
}

func TestConsole(t *testing.T) {
	out := lines(t, Config{Format: FormatConsole, Level: "WARNING"}, func(l zerolog.Logger) {
		l.Warn().Str("device", "sda").Msg("device stalled")
		Notice(l).Msg("filtered")
		Critical(l).Msg("bad")
	})
	if !regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} WARNING  device stalled device=sda\n\d\d:\d\d:\d\d\.\d{3} CRITICAL bad\n$`).MatchString(out) {
		t.Errorf("got %q", out)
	}
}

// The console copy hangs (a stopped terminal, a pipe that nobody reads): syslog
// gets its lines all the same, and Close names what it left behind.
func TestStuckConsole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	conn := listen(t, path)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	l := open(t, Config{Address: path, Verbose: true, Stderr: w, FlushTimeout: 50 * time.Millisecond})
	long := strings.Repeat("x", 10000)
	for range 20 { // more than a pipe holds
		l.Logger.Info().Msg(long)
		if got := receive(t, conn); got != "<134>swift: "+long+"\x00" {
			t.Fatalf("got %q", got)
		}
	}
	err = l.Close()
	if err == nil || !strings.Contains(err.Error(), "flush log to stderr") {
		t.Errorf("got %v", err)
	}
	l.Logger.Info().Msg("after Close")
	r.Close() // lets the abandoned write end
	for _, s := range l.sinks {
		<-s.done
	}
}

// The last quarter of a queue is for lines above info.
func TestStormLeavesRoomForErrors(t *testing.T) {
	s := &sink{queue: make(chan entry, 8)}
	for range 20 {
		s.put(entry{level: zerolog.InfoLevel, json: []byte("{}")})
	}
	if len(s.queue) != 6 || s.lost.Load() != 14 {
		t.Errorf("%d waiting, %d lost", len(s.queue), s.lost.Load())
	}
	s.put(entry{level: zerolog.ErrorLevel, json: []byte("{}")})
	s.put(entry{level: zerolog.NoLevel, json: []byte("{}")})
	s.put(entry{level: zerolog.NoLevel, json: []byte("{}")})
	if len(s.queue) != 8 || s.lost.Load() != 15 {
		t.Errorf("%d waiting, %d lost", len(s.queue), s.lost.Load())
	}
}

func TestQueueIsBoundedInBytes(t *testing.T) {
	s := &sink{queue: make(chan entry, 1<<20)}
	for range 2 * maxQueueBytes / maxEventBytes {
		s.put(entry{level: zerolog.ErrorLevel, json: make([]byte, maxEventBytes)})
	}
	if n := s.waiting.Load(); n != maxQueueBytes || len(s.queue) != maxQueueBytes/maxEventBytes {
		t.Errorf("%d bytes in %d lines are waiting", n, len(s.queue))
	}
}

func TestActorLogger(t *testing.T) {
	type secret struct{}
	out := lines(t, Config{Format: FormatJSON, Level: "DEBUG"}, func(l zerolog.Logger) {
		a := ActorLogger(l).With(slog.String("system", "s1"))
		a.Error("[Supervision]", slog.Any("actor", actor.NewPID("nonhost", "device/sda")), slog.Any("message", &secret{}),
			slog.Any("exception", errors.New("boom")), slog.Any("reason", "why"), slog.Any("directive", actor.StopDirective),
			slog.Any("sender", (*actor.PID)(nil)), slog.Int("n", 3), slog.Any("level", io.EOF), slog.Any("nothing", nil))
	})
	_, out, _ = strings.Cut(out, `Z",`)
	want := `"level":"error","system":"s1","actor":"device/sda","actor_message":"*logs.secret","exception":"boom","reason":"why",` +
		`"directive":"StopDirective","sender":"","n":3,"actor_level":"EOF","nothing":"<nil>","message":"[Supervision]"}`
	if out != want+"\n" {
		t.Errorf("got  %s\nwant %s", out, want)
	}
}

// The library's small talk is not what an operator has asked for.
func TestActorLoggerIsQuiet(t *testing.T) {
	for level, want := range map[string]int{"INFO": 0, "DEBUG": 1} {
		out := lines(t, Config{Format: FormatJSON, Level: level}, func(l zerolog.Logger) {
			ActorLogger(l).Info("[DeadLetter]")
		})
		if got := strings.Count(out, "DeadLetter"); got != want {
			t.Errorf("at %s: %d lines, want %d: %s", level, got, want, out)
		}
	}
}

// Whatever bytes come, a line is one line of valid text within its bound.
func FuzzRender(f *testing.F) {
	for _, seed := range []string{
		`{"level":"info","message":"x"}`, `{"swift":true,"message":"a\nb"}`, `{"a":{"b":[1]},"error":"e"}`, `{`, ``, "\x00\n", `{"level":3,"message":{}}`, `{"a":1}{`,
		"{\"swift\":true,\"message\":\"a\u0085\u2028\u202eb\x7f\"}", `{"swift":true,"message":"\u0000\u001b[2J\r\u009b"}`,
	} {
		f.Add([]byte(seed), 0)
	}
	f.Fuzz(func(t *testing.T, p []byte, limit int) {
		e := entry{json: p}
		line, ok := syslogForm{swiftForm{"n", limit}, 16}.render(e, debug)
		if !ok || bytes.ContainsRune(line, '\n') || len(line) > maxLineBytes+10 || line[len(line)-1] != 0 {
			t.Fatalf("%q", line)
		}
		if !utf8.Valid(line) || bytes.ContainsFunc(line[:len(line)-1], unseen) {
			t.Fatalf("%q", line)
		}
		if line, _ := (consoleForm{}).render(e, debug); !utf8.Valid(line) || bytes.ContainsFunc(line, func(r rune) bool { return unseen(r) && r != '\n' && r != '\t' }) {
			t.Fatalf("%q", line)
		}
		if json.Valid(p) && bytes.HasPrefix(p, []byte(`{"`)) {
			if line, ok := (jsonForm{}).render(e, debug); !ok || !json.Valid(line) || bytes.ContainsFunc(line, func(r rune) bool { return unseen(r) && !unicode.IsSpace(r) }) {
				t.Fatalf("%q", line)
			}
		}
	})
}
