package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// option is one row of the help text.
type option struct {
	short, long string // with their dashes
	dest        string // where the value goes; empty for help
	takesValue  bool
	help        string
}

var options = []option{
	{"-h", "--help", "", false, "show this help message and exit"},
	{"-d", "--devices", "devices", true, "Replicate only given devices. Comma-separated list. Only has effect if --once is used."},
	{"-p", "--partitions", "partitions", true, "Replicate only given partitions. Comma-separated list. Only has effect if --once is used."},
	{"-i", "--policies", "policies", true, "Replicate only given policy indices. Comma-separated list. Only has effect if --once is used."},
	{"-v", "--verbose", "verbose", false, "log to console"},
	{"-o", "--once", "once", false, "only run one pass of daemon"},
}

// value is what an option was set to.
type value struct {
	text string
	bare bool // set by a positional word
}

// parser reads a command line as Python's optparse does, which Swift's programs
// use: options anywhere before "--", short ones clustered, long ones abbreviated.
type parser struct {
	prog   string
	rest   []string
	values map[string]value
}

func newParser(argv []string) *parser {
	p := &parser{prog: "swift-object-replicator", values: map[string]value{}}
	if len(argv) > 0 {
		p.prog, p.rest = argv[0][strings.LastIndexByte(argv[0], filepath.Separator)+1:], slices.Clone(argv[1:])
	}
	return p
}

// parse consumes the whole line and returns the positional words.
func (p *parser) parse() (positional []string, stop *Stop) {
	for len(p.rest) > 0 && stop == nil {
		arg := p.next()
		switch {
		case arg == "--":
			return append(positional, p.rest...), nil
		case strings.HasPrefix(arg, "--"):
			stop = p.parseLong(arg)
		case strings.HasPrefix(arg, "-") && len(arg) > 1:
			stop = p.parseCluster(arg[1:])
		default:
			positional = append(positional, arg)
		}
	}
	return positional, stop
}

func (p *parser) next() string {
	arg := p.rest[0]
	p.rest = p.rest[1:]
	return arg
}

func (p *parser) parseLong(arg string) *Stop {
	name, text, explicit := strings.Cut(arg, "=")
	o, stop := p.abbreviated(name)
	if stop != nil {
		return stop
	}
	if explicit {
		if !o.takesValue {
			return p.fail(o.long + " option does not take a value")
		}
		p.rest = append([]string{text}, p.rest...)
	}
	return p.set(o, o.long)
}

// parseCluster reads -ov as -o -v, and -da as -d a.
func (p *parser) parseCluster(cluster string) *Stop {
	for cluster != "" {
		_, size := utf8.DecodeRuneInString(cluster)
		name := "-" + cluster[:size]
		cluster = cluster[size:]
		o := p.named(name)
		if o == nil {
			return p.fail("no such option: " + name)
		}
		if o.takesValue && cluster != "" {
			p.rest = append([]string{cluster}, p.rest...)
			cluster = ""
		}
		if stop := p.set(o, name); stop != nil {
			return stop
		}
	}
	return nil
}

func (p *parser) set(o *option, name string) *Stop {
	switch {
	case o.dest == "":
		return &Stop{Stdout: help(p.prog)}
	case !o.takesValue:
		p.values[o.dest] = value{}
	case len(p.rest) == 0:
		return p.fail(name + " option requires 1 argument")
	default:
		p.values[o.dest] = value{text: p.next()}
	}
	return nil
}

func (p *parser) named(name string) *option {
	for i := range options {
		if o := &options[i]; o.short == name || o.long == name {
			return o
		}
	}
	return nil
}

// abbreviated finds the one long option that begins with name.
func (p *parser) abbreviated(name string) (*option, *Stop) {
	if o := p.named(name); o != nil {
		return o, nil
	}
	var found *option
	var names []string
	for i := range options {
		if strings.HasPrefix(options[i].long, name) {
			found, names = &options[i], append(names, options[i].long)
		}
	}
	switch len(names) {
	case 0:
		return nil, p.fail("no such option: " + name)
	case 1:
		return found, nil
	}
	slices.Sort(names)
	return nil, p.fail(fmt.Sprintf("ambiguous option: %s (%s?)", name, strings.Join(names, ", ")))
}

func (p *parser) list(dest string) list {
	v := p.values[dest]
	return list{option: "--" + dest, value: v.text, bare: v.bare}
}

// fail is optparse's complaint about an option.
func (p *parser) fail(why string) *Stop {
	return &Stop{Status: 2, Stderr: usage(p.prog) + "\n" + escaped(p.prog+": error: "+why) + "\n"}
}

// refuse is Swift's complaint about the configuration's path.
func (p *parser) refuse(why string) *Stop {
	return &Stop{Status: 1, Stdout: usage(p.prog) + "\n" + why + "\n"}
}

// escaped shows bytes that are no UTF-8 as Python does on its standard error.
func escaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\udc%02x`, s[i])
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}
