package config

import (
	"fmt"
	"strings"
)

// Load reads a node's configuration: path is object-server.conf or a folder of
// .conf files. The error, if any, is Problems.
func Load(path string, o Options) (*Config, error) {
	r := Inspect(path, o)
	if err := r.Problems.orNil(); err != nil {
		return nil, err
	}
	return r.Config, nil
}

// Report is everything that can be said about a configuration.
type Report struct {
	Config   *Config // complete only when there are no problems
	Problems Problems
	Unknown  []Unknown // keys that nobody reads
}

// Inspect reads as Load does and goes on after a problem.
func Inspect(path string, o Options) *Report {
	if o.SwiftConf == "" {
		o.SwiftConf = DefaultSwiftConf
	}
	if o.Section == "" {
		o.Section = ReplicatorSection
	}
	l := &loader{c: &Config{Path: path, Section: o.Section}, scope: Replicator, within: o.within}
	if o.Section == ServerSection {
		l.scope = ObjServer
	}
	// the order of start-up: policies and limits, the daemon's options, the hash
	swift := l.openSwiftConf(o.SwiftConf)
	l.readPolicies(swift)
	unknown := l.readDaemon(path)
	if l.scope == ObjServer {
		l.readSwiftSection(swift, "swift-constraints", SwiftLimits)
	}
	l.readHash(swift)
	if l.c.ServePeers {
		l.readServing(path, o)
	}
	return &Report{Config: l.c, Problems: l.problems, Unknown: unknown}
}

// notRead stands for the value of an option that another one switches off.
const notRead = "(not read)"

// loader fills one Config.
type loader struct {
	c        *Config
	scope    Scope
	s        *section
	problems Problems
	within   *Config // that of the process which serves peers by this one
}

func (l *loader) problem(err error) {
	if list, ok := err.(Problems); ok {
		l.problems = append(l.problems, list...)
		return
	}
	l.problems = append(l.problems, err)
}

func (l *loader) warn(format string, args ...any) {
	l.c.Warnings = append(l.c.Warnings, fmt.Sprintf(format, args...))
}

// readDaemon reads the section of object-server.conf.
func (l *loader) readDaemon(path string) []Unknown {
	d, err := readDocument(path, INI{})
	if err != nil {
		l.problem(err)
		return nil
	}
	for _, name := range d.skipped {
		l.warn("Unable to read config from %s: the file is left out, as Swift does", name)
	}
	if l.scope == ObjServer {
		l.s, err = d.serverSection(l.c.Section)
	} else {
		l.s, err = d.daemonSection(l.c.Section)
	}
	if err != nil {
		l.problem(err)
		return nil
	}
	for _, folded := range l.s.folded {
		l.warn("%s", folded)
	}
	l.options(l.scope)
	l.applyRules()
	if l.scope == ObjServer {
		l.readFilters(d)
	}
	l.warnOfEffects()
	return unknownKeys(l.s, l.scope)
}

func (l *loader) options(scope Scope) {
	for _, o := range Table() {
		if o.Scope&scope != 0 {
			l.option(o)
		}
	}
}

// option reads one row of the table. Rows without a field are left to rules.go.
func (l *loader) option(o *Option) {
	text, origin, given := l.lookup(o.Name)
	if given && o.foreign != nil && o.foreign(text) {
		given = false
	}
	if !given || (text == "" && o.emptyIsDefault) {
		text, origin, given = o.Default, Origin{}, false
	}
	if o.when != nil && !o.when(l.c) {
		text, origin, given = "", Origin{}, false
	} else if o.field != nil && (given || o.Default != "") {
		warning, err := o.read(l.c, text)
		if err != nil {
			l.problem(&ValueError{Option: o.Name, Value: text, Origin: origin, Text: err.Error()})
		}
		if warning != "" && given {
			l.warn("%s", warning)
		}
	}
	v := Value{Option: o, Text: text, Origin: origin}
	switch {
	case o.when != nil && !o.when(l.c):
		v.Text = notRead
	case o.field != nil:
		v.Text = o.show(l.c)
	}
	v.changed = given && v.Text != o.defaultText()
	l.c.values = append(l.c.values, v)
}

// defaultText is the default as show would print it.
func (o *Option) defaultText() string {
	if o.field == nil || o.Default == "" {
		return o.Default
	}
	var c Config
	if _, err := o.read(&c, o.Default); err != nil {
		return o.Default
	}
	return o.show(&c)
}

// lookup finds an option of the section. A key that matches in lower case only
// is warned of, because newer Swift does not read it.
func (l *loader) lookup(name string) (text string, origin Origin, ok bool) {
	key, ok := l.s.match(name)
	if !ok {
		return "", Origin{}, false
	}
	origin = l.s.origins[key]
	if key != name {
		l.warn("%s: option %s is written %s: options are case-sensitive in current Swift", origin, name, key)
	}
	return l.s.values[key], origin, true
}

// value finds the record of an option that option() has made.
func (l *loader) value(name string) *Value {
	for i := range l.c.values {
		if l.c.values[i].Option.Name == name {
			return &l.c.values[i]
		}
	}
	return &Value{Option: &Option{Name: name}}
}

// show refreshes the record of an option that a rule has changed.
func (l *loader) show(name string, origin Origin) {
	v := l.value(name)
	v.Text, v.Origin = v.Option.show(l.c), origin
}

// sectionLogName is log_name when nobody sets it. Swift: common/utils.py
// readconf; servers are named without "app:".
func sectionLogName(section string) string { return strings.TrimPrefix(section, "app:") }

// openSwiftConf reads swift.conf, or reports why not and returns nil.
func (l *loader) openSwiftConf(path string) *document {
	l.c.Swift.Path = path
	d, err := readSwiftConf(path)
	if err != nil {
		l.problem(err)
		return nil
	}
	return d
}

// readSwiftSection reads the options of one section of swift.conf.
func (l *loader) readSwiftSection(d *document, name string, scope Scope) {
	if d == nil {
		return
	}
	s := newSection(name)
	if d.has(name) {
		s = d.swiftSection(name)
	}
	for _, o := range Table() {
		if o.Scope&scope == 0 {
			continue
		}
		text, origin := o.Default, Origin{}
		if _, ok := s.raw[o.Name]; ok {
			var err error
			origin = s.origins[o.Name]
			if text, err = s.interpolate(o.Name); err != nil && o.Kind == Raw {
				// the error itself would quote the secret
				err = &SyntaxError{File: origin.File, Line: origin.Line, Text: o.Name + ": a % must be written %%, or name another value: %(name)s"}
			}
			if err != nil {
				l.problem(err)
				continue
			}
		}
		if _, err := o.read(l.c, text); err != nil {
			l.problem(&ValueError{Option: o.Name, Value: text, Origin: origin, Text: err.Error()})
		}
		l.c.values = append(l.c.values, Value{Option: o, Text: o.show(l.c), Origin: origin})
	}
}
