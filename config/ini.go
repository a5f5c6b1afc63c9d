package config

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/knadh/koanf/v2"

	"understudy/internal/swift/policy/pytext"
)

// delim separates section and key in a koanf path. Neither can hold a newline.
const delim = "\n"

const (
	defaultSection = "DEFAULT"
	maxFileSize    = 1 << 20 // bytes of one file
	maxProblems    = 20      // syntax errors reported for one file
)

// INI reads the dialect of Python's ConfigParser in strict mode, as a koanf
// parser: a map of sections, each a map of keys to raw values. After Unmarshal
// it also knows on which line each section and key stood, so use one INI for
// one file.
type INI struct {
	File      string // named in errors
	LowerKeys bool   // fold keys to lower case (swift.conf)
	Latin1    bool   // every byte is a character (swift.conf); otherwise UTF-8

	Sections []string                  // in order of appearance, without DEFAULT
	Lines    map[string]map[string]int // section, key, line; the key "" is the section's own line
}

var _ koanf.Parser = (*INI)(nil)

// Unmarshal parses one file.
// Swift: common/utils.py readconf, which leaves it to Python's configparser.
func (p *INI) Unmarshal(b []byte) (map[string]any, error) {
	text, err := p.decode(b)
	if err != nil {
		return nil, err
	}
	p.Sections, p.Lines = nil, map[string]map[string]int{}
	r := iniReader{p: p, values: map[string]map[string][]string{}}
	for i, line := range strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") {
		if err := r.line(i+1, line); err != nil {
			return nil, err
		}
	}
	if len(r.bad) > 0 {
		return nil, errors.Join(r.bad...)
	}
	out := make(map[string]any, len(r.values))
	for section, keys := range r.values {
		m := make(map[string]any, len(keys))
		for key, lines := range keys {
			m[key] = pytext.StripRight(strings.Join(lines, "\n"))
		}
		out[section] = m
	}
	return out, nil
}

func (p *INI) decode(b []byte) (string, error) {
	if len(b) > maxFileSize {
		return "", &SyntaxError{File: p.File, Text: fmt.Sprintf("file is larger than %d bytes", maxFileSize)}
	}
	if p.Latin1 {
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes), nil
	}
	if !utf8.Valid(b) {
		line := 1
		for len(b) > 0 {
			r, n := utf8.DecodeRune(b)
			if r == utf8.RuneError && n == 1 {
				break
			}
			if r == '\n' {
				line++
			}
			b = b[n:]
		}
		return "", &SyntaxError{File: p.File, Line: line, Text: "text is not UTF-8"}
	}
	return string(b), nil
}

// iniReader is the state between two lines of a file.
type iniReader struct {
	p       *INI
	values  map[string]map[string][]string
	section string // valid once inside
	inside  bool   // a section header has been seen
	key     string // that continuation lines belong to, or empty
	indent  int    // of the line that began the key
	bad     []error
}

// line takes one line. An error that it returns ends the file; a line that is
// neither header nor key is collected, and ends the file when all are known.
func (r *iniReader) line(n int, line string) error {
	text := pytext.Strip(line)
	if text == "" {
		// an empty line inside a value counts when more of the value follows
		if r.inside && r.key != "" {
			r.values[r.section][r.key] = append(r.values[r.section][r.key], "")
		}
		return nil
	}
	if text[0] == '#' || text[0] == ';' {
		return nil
	}
	indent := 0
	for _, c := range line {
		if !pytext.IsSpace(c) {
			break
		}
		indent++
	}
	if r.inside && r.key != "" && indent > r.indent {
		r.values[r.section][r.key] = append(r.values[r.section][r.key], text)
		return nil
	}
	r.indent = indent
	if end := strings.LastIndexByte(text, ']'); text[0] == '[' && end > 1 {
		return r.header(n, text[1:end])
	}
	if !r.inside {
		return r.fail(n, "File contains no section headers: "+pytext.Repr(text))
	}
	return r.option(n, text)
}

func (r *iniReader) header(n int, name string) error {
	if _, seen := r.values[name]; !seen {
		r.values[name] = map[string][]string{}
		r.p.Lines[name] = map[string]int{"": n}
		if name != defaultSection {
			r.p.Sections = append(r.p.Sections, name)
		}
	} else if name != defaultSection {
		return r.fail(n, fmt.Sprintf("section %s already exists", pytext.Repr(name)))
	}
	r.section, r.inside, r.key = name, true, ""
	return nil
}

func (r *iniReader) option(n int, text string) error {
	at := strings.IndexAny(text, "=:")
	key := ""
	if at > 0 {
		key = pytext.StripRight(text[:at])
	}
	if key == "" {
		if len(r.bad) < maxProblems {
			r.bad = append(r.bad, r.fail(n, "Source contains parsing errors: "+pytext.Repr(text)))
		}
		return nil
	}
	if r.p.LowerKeys {
		key = strings.ToLower(key)
	}
	if _, seen := r.values[r.section][key]; seen {
		return r.fail(n, fmt.Sprintf("option %s in section %s already exists", pytext.Repr(key), pytext.Repr(r.section)))
	}
	r.values[r.section][key] = []string{pytext.Strip(text[at+1:])}
	r.p.Lines[r.section][key] = n
	r.key = key
	return nil
}

func (r *iniReader) fail(n int, text string) error {
	return &SyntaxError{File: r.p.File, Line: n, Text: text}
}

// Marshal writes sections and keys in alphabetical order, DEFAULT first. What
// the dialect cannot express is an error.
func (p *INI) Marshal(m map[string]any) ([]byte, error) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		if (names[i] == defaultSection) != (names[j] == defaultSection) {
			return names[i] == defaultSection
		}
		return names[i] < names[j]
	})
	var b strings.Builder
	for _, name := range names {
		keys, ok := m[name].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("write config: %s is not a section", pytext.Repr(name))
		}
		sorted := make([]string, 0, len(keys))
		for key := range keys {
			sorted = append(sorted, key)
		}
		sort.Strings(sorted)
		fmt.Fprintf(&b, "[%s]\n", name)
		for _, key := range sorted {
			value, ok := keys[key].(string)
			if !ok {
				return nil, fmt.Errorf("write config: %s of section %s is not text", pytext.Repr(key), pytext.Repr(name))
			}
			fmt.Fprintf(&b, "%s = %s\n", key, strings.ReplaceAll(value, "\n", "\n\t"))
		}
	}
	return p.readsBack(m, []byte(b.String()))
}

// readsBack returns the text when it means m, so that Marshal needs no rules of
// its own for what a name or a value may hold.
func (p *INI) readsBack(m map[string]any, text []byte) ([]byte, error) {
	again, err := (&INI{LowerKeys: p.LowerKeys}).Unmarshal(text)
	if err != nil {
		return nil, fmt.Errorf("write config: %w", err)
	}
	if len(again) != len(m) {
		return nil, errors.New("write config: a section cannot be written")
	}
	for name, keys := range m {
		section, ok := again[name].(map[string]any)
		if !ok || len(section) != len(keys.(map[string]any)) {
			return nil, fmt.Errorf("write config: section %s cannot be written", pytext.Repr(name))
		}
		for key, value := range keys.(map[string]any) {
			if section[key] != value {
				return nil, fmt.Errorf("write config: %s of section %s cannot be written", pytext.Repr(key), pytext.Repr(name))
			}
		}
	}
	return text, nil
}
