package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Args is what the command line asks for.
//
// Swift: bin/swift-object-replicator and common/utils.py parse_options.
type Args struct {
	Config  string // absolute path of the configuration: a file or a folder
	Once    bool
	Verbose bool
	Ignored []string // positional words without a meaning

	devices, partitions, policies list
}

// Overrides narrows a run in once mode. An empty list narrows nothing.
type Overrides struct {
	Devices    []string
	Partitions []uint32
	Policies   []int
}

// list is the value of an option that takes a comma-separated list.
type list struct {
	option string
	value  string
	bare   bool // named by a positional word, so without a value
}

// Stop ends the program before it began: with help, or with a complaint.
type Stop struct {
	Status         int
	Stdout, Stderr string
}

func (s *Stop) Error() string {
	return strings.TrimSpace(s.Stdout + s.Stderr)
}

// ParseArgs reads a command line, argv[0] included. Its error is always a *Stop.
// It looks whether the configuration exists, and at COLUMNS for the width of help.
func ParseArgs(argv []string) (Args, error) {
	p := newParser(argv)
	positional, stop := p.parse()
	if stop != nil {
		return Args{}, stop
	}
	if len(positional) == 0 {
		return Args{}, p.refuse("Error: missing config path argument")
	}
	a := Args{}
	var err error
	if a.Config, err = absolute(positional[0]); err != nil {
		return Args{}, p.refuse(fmt.Sprintf("Error: unable to locate %s: %v", positional[0], err))
	}
	if _, err := os.Stat(a.Config); err != nil {
		return Args{}, p.refuse("Error: unable to locate " + a.Config)
	}
	for _, word := range positional[1:] {
		if o := p.named("--" + word); o != nil && o.dest != "" {
			p.values[o.dest] = value{bare: true}
		} else {
			a.Ignored = append(a.Ignored, word)
		}
	}
	_, a.Once = p.values["once"]
	_, a.Verbose = p.values["verbose"]
	a.devices, a.partitions, a.policies = p.list("devices"), p.list("partitions"), p.list("policies")
	return a, nil
}

// absolute is Python's os.path.abspath: two leading slashes stay two.
func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err == nil && strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		abs = "/" + abs
	}
	return abs, err
}

// Overrides reads the lists. They count in once mode only, which the
// configuration may ask for too; in any other mode they are not even read.
//
// Swift: common/utils.py parse_override_options.
func (a Args) Overrides(once bool) (Overrides, error) {
	var o Overrides
	if !once {
		return o, nil
	}
	var err error
	if o.Policies, err = numbers(a.policies, 31, func(n uint64) int { return int(n) }); err != nil {
		return Overrides{}, err
	}
	if o.Devices, err = a.devices.words(); err != nil {
		return Overrides{}, err
	}
	if o.Partitions, err = numbers(a.partitions, 32, func(n uint64) uint32 { return uint32(n) }); err != nil {
		return Overrides{}, err
	}
	return o, nil
}

// words splits a list at its commas; blanks around words and empty words are dropped.
func (l list) words() ([]string, error) {
	if l.bare {
		return nil, fmt.Errorf("read %s: no value given", l.option)
	}
	var words []string
	for _, w := range strings.Split(l.value, ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	return words, nil
}

// Unlike Swift: a number that no partition or policy can have is an error here
// too, and not a run that does nothing.
func numbers[T any](l list, bits int, convert func(uint64) T) ([]T, error) {
	words, err := l.words()
	if err != nil {
		return nil, err
	}
	var ns []T
	for _, w := range words {
		n, err := strconv.ParseUint(plainNumber(w), 10, bits)
		if err != nil {
			return nil, fmt.Errorf("read %s: %q is not a number from 0 to %d", l.option, w, uint64(1)<<bits-1)
		}
		ns = append(ns, convert(n))
	}
	return ns, nil
}

// plainNumber takes from a number what Python's int allows and Go does not: a plus
// sign, and single underscores between digits.
func plainNumber(s string) string {
	s = strings.TrimPrefix(s, "+")
	parts := strings.Split(s, "_")
	if slices.Contains(parts, "") {
		return s
	}
	return strings.Join(parts, "")
}
