package cluster

import (
	"context"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// rsyncTempfile is the name of a file that an rsync left half written; no
// replicator sends it. Swift: obj/diskfile.py RE_RSYNC_TEMPFILE.
var rsyncTempfile = regexp.MustCompile(`^\..*\.[a-zA-Z0-9_]{6}$`)

// CheckCopies compares all copies of each partition after replication has settled
// and returns what is wrong: every primary must have the same files, no other
// device any, and every hash that is cached or answered must be what Swift computes.
func (c *Cluster) CheckCopies(ctx context.Context, copies []Copy) ([]string, error) {
	var wrong []string
	for _, p := range c.spec.Policies {
		if p.Erasure {
			continue
		}
		primaries, err := c.Primaries(ctx, p.Index)
		if err != nil {
			return nil, err
		}
		parts := map[int][]Copy{}
		for _, copy := range copies {
			if copy.Policy == p.Index {
				parts[copy.Partition] = append(parts[copy.Partition], copy)
			}
		}
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			wrong = append(wrong, checkPartition(parts[part], primaries[part])...)
		}
	}
	for _, copy := range copies {
		wrong = append(wrong, copy.checkHashes()...)
	}
	return wrong, nil
}

func checkPartition(copies []Copy, primaries []Device) []string {
	var wrong []string
	have := map[Device]Copy{}
	var union Copy
	for _, c := range copies {
		d := Device{c.IP, c.Device}
		if !slices.Contains(primaries, d) {
			wrong = append(wrong, fmt.Sprintf("%s is no primary but has %d files", c, len(c.Objects())))
			continue
		}
		have[d] = c
		if len(c.Files) >= len(union.Files) {
			union = c
		}
	}
	for _, d := range primaries {
		c, ok := have[d]
		if !ok && len(union.Objects()) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s/%s lacks what %s has", d.IP, d.Name, union))
		}
		if ok {
			wrong = append(wrong, diffFiles(union, c)...)
		}
	}
	return wrong
}

func (c Copy) String() string {
	return fmt.Sprintf("%s/%s/%s/%d", c.IP, c.Device, policyName("objects", c.Policy), c.Partition)
}

// Objects are the files that count: not what an rsync left half written.
func (c Copy) Objects() map[string]File {
	files := maps.Clone(c.Files)
	maps.DeleteFunc(files, func(name string, _ File) bool {
		return rsyncTempfile.MatchString(path.Base(name))
	})
	return files
}

func diffFiles(want, got Copy) []string {
	var wrong []string
	a, b := want.Objects(), got.Objects()
	for name, f := range a {
		if g, ok := b[name]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s lacks %s, which %s has", got, name, want))
		} else if !reflect.DeepEqual(f, g) {
			wrong = append(wrong, fmt.Sprintf("%s has another %s than %s: %v and %v", got, name, want, g, f))
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s has %s, which %s lacks", got, name, want))
		}
	}
	return wrong
}

// checkHashes compares what is cached and answered with a fresh computation.
func (c Copy) checkHashes() []string {
	var wrong []string
	fresh := map[string]any{}
	for suffix, hash := range c.Fresh {
		fresh[suffix] = hash
	}
	if c.Answer == nil {
		return nil
	}
	if c.Answer.Status != 200 {
		return []string{fmt.Sprintf("%s: REPLICATE answered %d", c, c.Answer.Status)}
	}
	if !reflect.DeepEqual(c.Answer.Hashes, fresh) {
		wrong = append(wrong, fmt.Sprintf("%s: REPLICATE answered %v, Swift hashes %v", c, c.Answer.Hashes, fresh))
	}
	cached := maps.Clone(c.Cached)
	if cached["valid"] != true {
		wrong = append(wrong, fmt.Sprintf("%s: hashes.pkl is not valid: %v", c, cached))
	}
	delete(cached, "valid")
	delete(cached, "updated")
	if !reflect.DeepEqual(cached, fresh) {
		wrong = append(wrong, fmt.Sprintf("%s: hashes.pkl has %v, Swift hashes %v", c, cached, fresh))
	}
	if c.Invalid != "" {
		wrong = append(wrong, fmt.Sprintf("%s: hashes.invalid still has %q", c, c.Invalid))
	}
	return wrong
}

// CheckObjects opens every object of the history on every primary and returns what
// is lost or changed.
func (c *Cluster) CheckObjects(ctx context.Context, h *History) ([]string, error) {
	expected := h.Expect()
	keys := slices.SortedFunc(maps.Keys(expected), func(a, b ObjectKey) int {
		if a.Policy != b.Policy {
			return a.Policy - b.Policy
		}
		return strings.Compare(a.Name, b.Name)
	})
	readings, err := c.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for i, k := range keys {
		for _, r := range readings[i] {
			if why := expected[k].differs(r); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s/%s partition %d of policy %d: %q: %s",
					r.IP, r.Device, r.Partition, k.Policy, k.Name, why))
			}
		}
	}
	return wrong, nil
}

func (o Object) differs(r Reading) string {
	if o.Deleted {
		if r.State == "data" || (r.State == "deleted" && r.At != o.At) {
			return fmt.Sprintf("want a tombstone of %s, have %s %s", o.At, r.State, r.At)
		}
		return ""
	}
	if r.State != "data" {
		return fmt.Sprintf("want data of %s, have %s %s", o.At, r.State, r.At)
	}
	got := Object{
		At: r.Metadata["X-Timestamp"], Size: r.Size, MD5: r.MD5,
		Type: r.Metadata["Content-Type"], UserMeta: userMeta(r.Metadata),
	}
	if !reflect.DeepEqual(got, o) {
		return fmt.Sprintf("want %+v, have %+v", o, got)
	}
	return ""
}
