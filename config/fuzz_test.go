package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// Any bytes are either refused with a SyntaxError or mean the same again after
// they have been written.
func FuzzINI(f *testing.F) {
	for _, text := range append(append([]string(nil), dialect...), randomFiles(50)...) {
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, swift bool) {
		p := &INI{File: "f", LowerKeys: swift, Latin1: swift}
		m, err := p.Unmarshal(b)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.File != "f" {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		for _, section := range p.Sections {
			for key := range m[section].(map[string]any) {
				if p.Lines[section][key] <= p.Lines[section][""] {
					t.Errorf("%q of %q: lines %v", key, section, p.Lines[section])
				}
			}
		}
		text, err := p.Marshal(m)
		if err != nil {
			return // the dialect cannot write everything that it can read
		}
		again, err := (&INI{LowerKeys: swift}).Unmarshal(text)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%q means %v, but %q means %v (%v)", b, m, text, again, err)
		}
	})
}

// A section never makes a panic, more text than its bound, or text of its own.
func FuzzInterpolation(f *testing.F) {
	f.Add("%(b)s%(b)s", "%(c)s%(c)s", "%%x")
	f.Add("%(a)s", "", "1%")
	f.Add("%(b", "%", "%()s")
	f.Add(strings.Repeat("%(b)s", 20), strings.Repeat("%(c)s", 20), strings.Repeat("y", 1000))
	f.Fuzz(func(t *testing.T, a, b, c string) {
		s := newSection("s")
		s.raw = map[string]string{"a": a, "b": b, "c": c}
		if err := s.resolve(true); err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		valid := utf8.ValidString(a) && utf8.ValidString(b) && utf8.ValidString(c)
		for key, value := range s.values {
			if len(value) > 2*maxValue+len(a)+len(b)+len(c) {
				t.Errorf("%s has %d bytes", key, len(value))
			}
			if valid && !utf8.ValidString(value) {
				t.Errorf("%s is torn: %q", key, value)
			}
			if !strings.Contains(s.raw[key], "%(") && value != s.raw[key] {
				t.Errorf("%s changed from %q to %q", key, s.raw[key], value)
			}
		}
	})
}

// A whole configuration never makes a panic and is an error or complete.
func FuzzLoad(f *testing.F) {
	for _, settings := range sections {
		f.Add("[object-replicator]\n"+settings+"\n", hashed)
	}
	for _, text := range swiftConfs {
		f.Add("[object-replicator]\n", text)
	}
	f.Fuzz(func(t *testing.T, server, swift string) {
		dir := t.TempDir()
		c, err := Load(writeFile(t, dir, "server.conf", server), Options{SwiftConf: writeFile(t, dir, "swift.conf", swift)})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if c.JobSlots() < 1 || c.Rsync.Module == "" || c.Swift.Policies.Len() < 1 || c.LockupTimeout <= 0 || c.Interval < 0 || c.DiskFile.ReclaimAge < 0 {
			t.Errorf("%+v", c)
		}
	})
}

func TestBounds(t *testing.T) {
	if _, err := load(t, "[object-replicator]\n"+strings.Repeat("# comment\n", maxFileSize/10)); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("a file that is too large: %v", err)
	}
	var bomb strings.Builder
	bomb.WriteString("[object-replicator]\nk0 = \n")
	for i := range 9 {
		bomb.WriteString("k" + string(rune('1'+i)) + " = " + strings.Repeat("%(k"+string(rune('0'+i))+")s", 10) + "%%\n")
	}
	if _, err := load(t, bomb.String()); err == nil || !strings.Contains(err.Error(), "references") {
		t.Errorf("references to references: %v", err)
	}
	if _, err := Load("/dev/zero", Options{SwiftConf: swiftConf(t)}); err == nil || err.Error() != "Unable to read config from /dev/zero" {
		t.Errorf("a device: %v", err)
	}
	c, err := load(t, "[object-replicator]\ninterval = 1e400\nstats_interval = 9e18\n")
	if err != nil || c.Interval != 1<<63-1 || c.StatsInterval != 1<<63-1 {
		t.Errorf("endless: %+v, %v", c, err)
	}
}

func TestMarshal(t *testing.T) {
	m := map[string]any{"b": map[string]any{"x": "1\n2", "a": ""}, "DEFAULT": map[string]any{"z": "%(a)s"}}
	got, err := (&INI{}).Marshal(m)
	if want := "[DEFAULT]\nz = %(a)s\n[b]\na = \nx = 1\n\t2\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	for _, m := range []map[string]any{
		{"a": "no section"},
		{"a": map[string]any{"k": 1}},
		{"a": map[string]any{"k": " blank"}},
		{"a": map[string]any{"k": "1\n# not a comment"}},
		{"a": map[string]any{"": "x"}},
		{"a": map[string]any{"k=": "x"}},
		{"": map[string]any{}},
		{"a\nb": map[string]any{}},
		{"a": map[string]any{"k": "x\n[b]"}, "c": map[string]any{"#": "x"}},
	} {
		if text, err := (&INI{}).Marshal(m); err == nil {
			t.Errorf("%v was written as %q", m, text)
		}
	}
}
