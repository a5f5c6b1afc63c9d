package lab

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is what can be the matter with a cluster.
type Kind string

const (
	Lost     Kind = "lost"     // an object without one right copy
	Short    Kind = "missing"  // a file that a primary does not have
	Wrong    Kind = "wrong"    // a file with another content or other metadata
	Extra    Kind = "extra"    // a file that belongs nowhere
	Mismatch Kind = "mismatch" // a suffix hash that is not what the history makes it
)

var kinds = []Kind{Lost, Wrong, Short, Extra, Mismatch}

// Verdict is what a check has found.
type Verdict struct {
	Objects  int   // in the history
	Copies   int   // of objects, that there must be
	Good     int   // of them right in every byte
	Bytes    int64 // of content read and found right
	Suffixes int   // suffix hashes that were compared, each on disk and as told by its server
	Counts   map[Kind]int
	Problems []Problem // the first ones, worst kinds first
}

// Problem is one thing that is wrong.
type Problem struct {
	Kind  Kind
	Where string // a disk, or an object
	Path  string // on the disk; or empty
	What  string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s: %s: %s", p.Kind, strings.TrimSpace(p.Where+" "+p.Path), p.What)
}

// maxProblems of each kind are kept by each part of a check; all are counted.
const maxProblems = 100

// OK tells whether everything is as it must be.
func (v *Verdict) OK() bool { return v.Good == v.Copies && len(v.Counts) == 0 }

// String sums the verdict up in words.
func (v *Verdict) String() string {
	var words []string
	for _, k := range kinds {
		words = append(words, fmt.Sprintf("%d %s", v.Counts[k], v.noun(k)))
	}
	return strings.Join(words, ", ")
}

func (v *Verdict) noun(k Kind) string {
	switch {
	case k != Mismatch:
		return string(k)
	case v.Counts[k] == 1:
		return "hash mismatch"
	}
	return "hash mismatches"
}

func (v *Verdict) add(k Kind, where, path, format string, args ...any) {
	if v.Counts == nil {
		v.Counts = map[Kind]int{}
	}
	v.Counts[k]++
	if v.Counts[k] <= maxProblems {
		v.Problems = append(v.Problems, Problem{k, printable(where), printable(path), fmt.Sprintf(format, args...)})
	}
}

// merge adds another part's findings.
func (v *Verdict) merge(o *Verdict) {
	v.Bytes += o.Bytes
	v.Suffixes += o.Suffixes
	for k, n := range o.Counts {
		if v.Counts == nil {
			v.Counts = map[Kind]int{}
		}
		v.Counts[k] += n
	}
	v.Problems = append(v.Problems, o.Problems...)
}

func (v *Verdict) sort() {
	slices.SortStableFunc(v.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Where, b.Where), cmp.Compare(a.Path, b.Path))
	})
}

// printable quotes a name that would spoil a line.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
