package cluster

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Ledger is a History with operations of which it does not matter whether they took
// effect: the client was never told that they had. It is not safe for concurrent use.
type Ledger struct {
	History
	maybe map[ObjectKey][]Op
}

// Might remembers an operation that may or may not have taken effect.
func (l *Ledger) Might(op Op) {
	if l.maybe == nil {
		l.maybe = map[ObjectKey][]Op{}
	}
	k := ObjectKey{op.Policy, op.Name}
	l.maybe[k] = append(l.maybe[k], op)
}

// maxMaybe bounds the combinations that are tried for one object.
const maxMaybe = 8

// CheckLedger opens every object on every primary and returns what is lost, changed
// or not the same everywhere.
func (c *Cluster) CheckLedger(ctx context.Context, l *Ledger) ([]string, error) {
	ops := map[ObjectKey][]Op{}
	for _, op := range l.ops {
		k := ObjectKey{op.Policy, op.Name}
		ops[k] = append(ops[k], op)
	}
	keys := slices.SortedFunc(maps.Keys(ops), func(a, b ObjectKey) int { return strings.Compare(a.Name, b.Name) })
	readings, err := c.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for i, k := range keys {
		if why := possible(ops[k], l.maybe[k], readings[i]); why != "" {
			wrong = append(wrong, fmt.Sprintf("%q: %s", k.Name, why))
		}
	}
	return wrong, nil
}

// possible tells why no combination of the operations leads to what all primaries
// have, or "". The newest of the doubtful ones are tried.
func possible(sure, maybe []Op, readings []Reading) string {
	maybe = maybe[max(0, len(maybe)-maxMaybe):]
	first := ""
	for set := range 1 << len(maybe) {
		ops := slices.Clone(sure)
		for i, op := range maybe {
			if set&(1<<i) != 0 {
				ops = append(ops, op)
			}
		}
		want, known := fold(ops)
		var wrong []string
		for _, r := range readings {
			if why := want.differs(r); known && why != "" {
				wrong = append(wrong, fmt.Sprintf("%s/%s partition %d: %s", r.IP, r.Device, r.Partition, why))
			}
		}
		if len(wrong) == 0 {
			return ""
		}
		if first == "" {
			first = strings.Join(wrong, "; ")
		}
	}
	return first
}

// Live leaves out what nodes that agree may still have of their own:
//   - data or a tombstone beside something newer: a push that was overtaken. It goes
//     when the suffix is hashed again; hashes do not see it before;
//   - metadata, of which the same state can have different names: two POSTs, of which
//     the one with a content type came first or last; or a POST that reached only a
//     node which had not heard of a DELETE. Hashes and readings tell what of it counts.
func Live(copies []Copy) []Copy {
	var out []Copy
	for _, c := range copies {
		newest := map[string]string{}
		for name := range c.Files {
			if path.Ext(name) != ".meta" {
				newest[path.Dir(name)] = max(newest[path.Dir(name)], name)
			}
		}
		c.Files = maps.Clone(c.Files)
		maps.DeleteFunc(c.Files, func(name string, _ File) bool { return newest[path.Dir(name)] != name })
		out = append(out, c)
	}
	return out
}

// CheckAlike compares the hashes of a partition on all devices that have it.
func CheckAlike(copies []Copy) []string {
	type place struct{ policy, partition int }
	var wrong []string
	first := map[place]Copy{}
	for _, c := range copies {
		p := place{c.Policy, c.Partition}
		if f, ok := first[p]; !ok {
			first[p] = c
		} else if !maps.Equal(f.Fresh, c.Fresh) {
			wrong = append(wrong, fmt.Sprintf("%s and %s: hashes %v and %v", f, c, f.Fresh, c.Fresh))
		}
	}
	return wrong
}
