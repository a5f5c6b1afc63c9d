package config

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"understudy/internal/swift/policy/pytext"
)

const (
	maxDepth      = 10     // Python's limit of references to references
	maxReferences = 100000 // resolved in one section; Python has no limit
	maxValue      = 1 << 20
)

// section is what one daemon sees of a document: its own keys over DEFAULT's,
// references resolved.
type section struct {
	name    string
	raw     map[string]string
	origins map[string]Origin
	values  map[string]string // raw with references resolved
	used    map[string]bool   // keys that other values refer to
	folded  []string          // references that matched in lower case only
	lower   map[string]string // keys by their lower case, made when first needed
	steps   int               // references resolved so far
}

// daemonSection is a section as Swift's daemons read it.
// Swift: common/utils.py readconf.
func (d *document) daemonSection(name string) (*section, error) {
	if !d.has(name) {
		return nil, &SectionError{Section: name, Path: d.path}
	}
	s := newSection(name)
	s.merge(d, defaultSection)
	s.merge(d, name)
	return s, s.resolve(true)
}

// serverSection is an [app:...] section as PasteDeploy reads it: a key that
// DEFAULT also has is ignored there unless it is written "set key".
// Swift: common/wsgi.py NamedConfigLoader; paste.deploy.loadwsgi get_context.
func (d *document) serverSection(name string) (*section, error) {
	if !d.has(name) {
		return nil, &SectionError{Section: name, Path: d.path}
	}
	defaults, own := newSection(name), newSection(name)
	defaults.inject(d.path)
	defaults.merge(d, defaultSection)
	if err := defaults.resolve(true); err != nil {
		return nil, err
	}
	own.inject(d.path)
	own.merge(d, defaultSection)
	own.merge(d, name)
	if err := own.resolve(true); err != nil {
		return nil, err
	}
	out := newSection(name)
	out.used, out.folded = own.used, own.folded
	for key, value := range defaults.values {
		out.set(key, value, defaults.origins[key])
	}
	var plain []string
	for key := range d.raw[name] {
		if to, ok := strings.CutPrefix(key, "set "); ok {
			out.set(pytext.Strip(to), own.values[key], own.origins[key])
		} else if _, global := d.raw[defaultSection][key]; !global {
			plain = append(plain, key)
		}
	}
	for _, key := range plain {
		out.set(key, own.values[key], own.origins[key])
	}
	return out, nil
}

// filterSection is a [filter:...] section as PasteDeploy reads it, or [DEFAULT]
// when it is missing.
func (d *document) filterSection(name string) (*section, error) {
	if d.has(name) {
		return d.serverSection(name)
	}
	s := newSection(name)
	s.inject(d.path)
	s.merge(d, defaultSection)
	return s, s.resolve(true)
}

// swiftSection is a section of swift.conf, where every value is interpolated
// whether or not it holds a reference.
func (d *document) swiftSection(name string) *section {
	s := newSection(name)
	s.merge(d, defaultSection)
	s.merge(d, name)
	return s
}

func newSection(name string) *section {
	return &section{
		name: name, raw: map[string]string{}, origins: map[string]Origin{},
		values: map[string]string{}, used: map[string]bool{},
	}
}

func (s *section) merge(d *document, name string) {
	for key, value := range d.raw[name] {
		s.raw[key], s.origins[key] = value, d.origins[name][key]
	}
}

// inject adds the two names that PasteDeploy defines.
func (s *section) inject(path string) {
	if abs, err := filepath.Abs(path); err == nil {
		s.raw["__file__"], s.raw["here"] = abs, filepath.Dir(abs)
	}
}

func (s *section) set(key, value string, from Origin) {
	s.raw[key], s.values[key], s.origins[key] = value, value, from
}

// keys are all keys in the order in which they were read.
func (s *section) keys() []string {
	out := make([]string, 0, len(s.raw))
	for key := range s.raw {
		out = append(out, key)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := s.origins[out[i]], s.origins[out[j]]
		if a != b {
			return a.before(b)
		}
		return out[i] < out[j]
	})
	return out
}

// match finds a key. Keys are case-sensitive, as in Swift since 2.31; a key that
// only matches in lower case, as before, is taken when there is no other.
func (s *section) match(name string) (key string, ok bool) {
	if _, ok := s.raw[name]; ok {
		return name, true
	}
	if s.lower == nil {
		s.lower = make(map[string]string, len(s.raw))
		for _, key := range s.keys() {
			s.lower[strings.ToLower(key)] = key // the last one wins
		}
	}
	key, ok = s.lower[strings.ToLower(name)]
	return key, ok
}

// resolve interpolates every value, so that one bad value of DEFAULT is an error
// in every section. Lenient values, those without "%(", stay as they are.
// Swift: common/utils.py NicerInterpolation.
func (s *section) resolve(lenient bool) error {
	var problems Problems
	for _, key := range s.keys() {
		value := s.raw[key]
		if strings.Contains(value, "%(") || !lenient {
			var err error
			if value, err = s.interpolate(key); err != nil {
				problems = append(problems, err)
				continue
			}
		}
		s.values[key] = value
	}
	return problems.orNil()
}

// interpolate resolves the references of one value.
func (s *section) interpolate(key string) (string, error) {
	in := interpolation{s: s, key: key}
	err := in.run(s.raw[key], s.raw[key], 1)
	return in.out.String(), err
}

type interpolation struct {
	s   *section
	key string
	out strings.Builder
}

// run appends rest with its references replaced.
// Swift: Python's configparser.BasicInterpolation.
func (in *interpolation) run(rest, raw string, depth int) error {
	if depth > maxDepth {
		return in.fail("Recursion limit exceeded in value substitution: option %s in section %s contains an interpolation key "+
			"which cannot be substituted in %d steps. Raw value: %s", pytext.Repr(in.key), pytext.Repr(in.s.name), maxDepth, pytext.Repr(raw))
	}
	for rest != "" {
		at := strings.IndexByte(rest, '%')
		if at < 0 {
			at = len(rest)
		}
		in.out.WriteString(rest[:at])
		if in.out.Len() > maxValue {
			return in.fail("value is longer than %d bytes", maxValue)
		}
		rest = rest[at:]
		switch {
		case rest == "":
		case strings.HasPrefix(rest, "%%"):
			in.out.WriteByte('%')
			rest = rest[2:]
		case strings.HasPrefix(rest, "%("):
			end := strings.IndexByte(rest, ')')
			if end < 3 || !strings.HasPrefix(rest[end:], ")s") {
				return in.fail("bad interpolation variable reference %s", pytext.Repr(rest))
			}
			name := rest[2:end]
			rest = rest[end+2:]
			if err := in.reference(name, raw, depth); err != nil {
				return err
			}
		default:
			return in.fail("'%%' must be followed by '%%' or '(', found: %s", pytext.Repr(rest))
		}
	}
	return nil
}

// reference appends the value of another key.
func (in *interpolation) reference(name, raw string, depth int) error {
	if in.s.steps++; in.s.steps > maxReferences {
		return in.fail("section has more than %d references", maxReferences)
	}
	key, ok := in.s.match(name)
	if !ok {
		return in.fail("Bad value substitution: option %s in section %s contains an interpolation key %s which is not a valid option name. "+
			"Raw value: %s", pytext.Repr(in.key), pytext.Repr(in.s.name), pytext.Repr(name), pytext.Repr(raw))
	}
	if key != name {
		in.s.folded = append(in.s.folded, fmt.Sprintf("%%(%s)s means %s, which differs in case", name, key))
	}
	in.s.used[key] = true
	value := in.s.raw[key]
	if strings.Contains(value, "%") {
		return in.run(value, raw, depth+1)
	}
	in.out.WriteString(value)
	return nil
}

func (in *interpolation) fail(format string, args ...any) error {
	at := in.s.origins[in.key]
	return &SyntaxError{File: at.File, Line: at.Line, Text: fmt.Sprintf(format, args...)}
}
