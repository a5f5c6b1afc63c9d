package sim

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/lab"
	"understudy/internal/sim/simfs"
	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/metadata"
)

// truth knows what clients were told, and so what must be on the disks.
type truth struct {
	world   *world
	objects map[string]*object // by hash and policy
	checks  int
	lostYet map[string]bool
}

// object is the history of one object.
type object struct {
	policy *lab.WorldPolicy
	part   uint32
	hash   string
	name   string            // empty when no file tells
	acked  map[string]bool   // files that clients were told of, or that were there from the beginning
	tried  map[string]bool   // and those that may be there
	sums   map[string]string // of data files: md5 of the content
	loose  bool              // deleted so long ago that it may come back
}

func (o *object) dir() string {
	return o.policy.Dir() + "/" + strconv.FormatUint(uint64(o.part), 10) + "/" + o.hash[29:] + "/" + o.hash
}

func (o *object) String() string { return o.policy.Dir() + " " + o.hash + " " + o.name }

func key(policyDir, hash string) string { return policyDir + "/" + hash }

// newTruth takes what is on the disks for what clients were told.
func newTruth(w *world) *truth {
	t := &truth{world: w, objects: map[string]*object{}, lostYet: map[string]bool{}}
	for _, p := range w.drawn.Policies {
		if p.Erasure {
			continue
		}
		for _, n := range w.nodes {
			for _, d := range n.disks {
				t.scan(p, d, func(o *object, file string, l simfs.Look) {
					if whole(file, l) {
						o.know(file, l)
						o.acked[file] = true
					}
				})
			}
		}
	}
	for _, drawn := range w.drawn.Objects {
		if o := t.objects[key(drawn.Policy.Dir(), drawn.Hash)]; o != nil {
			o.loose = drawn.Loose
		}
	}
	for k, o := range t.objects {
		if len(o.acked) == 0 {
			delete(t.objects, k)
		}
	}
	return t
}

// know notes that a file may be there.
func (o *object) know(file string, l simfs.Look) {
	o.tried[file] = true
	if strings.HasSuffix(file, ".data") {
		sum := md5.Sum(l.Data)
		o.sums[file] = hex.EncodeToString(sum[:])
	}
	if m, err := described(l); err == nil && o.name == "" {
		o.name, _ = m.Get("name")
	}
}

// scan calls f with every file of a policy's objects on a disk.
func (t *truth) scan(p *lab.WorldPolicy, d *disk, f func(o *object, file string, l simfs.Look)) {
	for _, part := range d.fs.Names(p.Dir()) {
		number, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			continue
		}
		for _, suffix := range d.fs.Names(p.Dir() + "/" + part) {
			for _, hash := range d.fs.Names(p.Dir() + "/" + part + "/" + suffix) {
				if len(hash) != 32 || len(suffix) != 3 || hash[29:] != suffix {
					continue
				}
				o := t.object(p, uint32(number), hash)
				for _, file := range d.fs.Names(o.dir()) {
					if _, err := diskfile.ParseName(file); err == nil {
						l, _ := d.fs.Look(o.dir() + "/" + file)
						f(o, file, l)
					}
				}
			}
		}
	}
}

func (t *truth) object(p *lab.WorldPolicy, part uint32, hash string) *object {
	k := key(p.Dir(), hash)
	o := t.objects[k]
	if o == nil {
		o = &object{policy: p, part: part, hash: hash, acked: map[string]bool{}, tried: map[string]bool{}, sums: map[string]string{}}
		t.objects[k] = o
	}
	return o
}

// described reads a file's metadata.
func described(l simfs.Look) (metadata.Metadata, error) {
	raw := slices.Clone(l.Attrs[metadata.Attribute])
	for i := 1; ; i++ {
		more, ok := l.Attrs[metadata.Attribute+strconv.Itoa(i)]
		if !ok {
			break
		}
		raw = append(raw, more...)
	}
	return metadata.Decode(raw)
}

// whole tells whether a file is all that its metadata says.
func whole(file string, l simfs.Look) bool {
	m, err := described(l)
	if err != nil {
		return false
	}
	if !strings.HasSuffix(file, ".data") {
		return true
	}
	size, _ := m.Get("Content-Length")
	etag, _ := m.Get("ETag")
	sum := md5.Sum(l.Data)
	return size == strconv.Itoa(len(l.Data)) && etag == hex.EncodeToString(sum[:])
}

// times are the newest of each kind among some files: data or tombstone, metadata,
// and content type.
type times struct{ base, tomb, meta, ctype string }

func newest(files map[string]bool) (t times) {
	var set diskfile.Set
	set.Read(slices.Sorted(maps.Keys(files)), time.Time{}, 1<<62)
	if set.Data != nil {
		t.base = set.Data.Time.Internal()
		if set.Meta != nil {
			t.meta = set.Meta.Time.Internal()
		}
		if set.CType != nil {
			t.ctype = set.CType.CType.Internal()
		}
	}
	if set.TS != nil {
		t.base, t.tomb = set.TS.Time.Internal(), set.TS.Time.Internal()
	}
	return t
}

// view is a way to look at a disk: which whole files of a directory it shows.
type view func(d *disk, dir string) []string

// seen shows what everybody sees.
func seen(d *disk, dir string) []string { return shown(d.fs.Names(dir), dir, d.fs.Look) }

// durable shows what a power cut right now would leave.
func durable(d *disk, dir string) []string { return shown(d.fs.DurableNames(dir), dir, d.fs.Durable) }

// certain shows what is seen and durable.
func certain(d *disk, dir string) []string {
	return shown(d.fs.Names(dir), dir, func(path string) (simfs.Look, bool) { l, _ := d.fs.Look(path); return l, l.Safe })
}

// ordered shows what is seen and has a durable content: for what happens on the same
// disk later the name counts, too, for a journal keeps the order.
func ordered(d *disk, dir string) []string {
	return shown(d.fs.Names(dir), dir, func(path string) (simfs.Look, bool) { l, _ := d.fs.Look(path); return l, l.Clean })
}

func shown(names []string, dir string, look func(string) (simfs.Look, bool)) (files []string) {
	for _, file := range names {
		if _, err := diskfile.ParseName(file); err != nil {
			continue
		}
		if l, ok := look(dir + "/" + file); ok && whole(file, l) {
			files = append(files, file)
		}
	}
	return files
}

// copies are the whole files of an object on all disks, as each is looked at.
func (t *truth) copies(o *object, at func(*disk) view) map[string]bool {
	found := map[string]bool{}
	for _, n := range t.world.nodes {
		for _, d := range n.disks {
			if look := at(d); look != nil {
				for _, file := range look(d, o.dir()) {
					found[file] = true
				}
			}
		}
	}
	return found
}

// missing tells what of an object's newest acknowledged state is nowhere to be found;
// empty when all is.
func (t *truth) missing(o *object, at func(*disk) view) string {
	if len(o.acked) == 0 || o.loose {
		return ""
	}
	want, have := newest(o.acked), newest(t.copies(o, at))
	switch {
	case have.base < want.base:
		return fmt.Sprintf("the state of %s is nowhere, the newest is of %q", want.base, have.base)
	case have.base == want.base && have.tomb == "" && have.meta < want.meta:
		return fmt.Sprintf("the metadata of %s is nowhere, the newest is of %q", want.meta, have.meta)
	}
	return ""
}

func all(v view) func(*disk) view { return func(*disk) view { return v } }

// gone checks, at the moment in which a file has lost its name, that its object is
// durable elsewhere.
func (t *truth) gone(n *node, c simfs.Call) {
	parts := strings.Split(strings.TrimPrefix(c.Path, devicesRoot+"/"), "/")
	if len(parts) < 5 || !strings.HasPrefix(parts[1], "objects") {
		return
	}
	o := t.objects[key(parts[1], parts[4])]
	if o == nil {
		return
	}
	t.checks++
	here := n.disk(c.Path)
	if c.Op == "rename" {
		t.excuse(o, n.device(parts[0]))
	}
	t.lost(o, t.missing(o, func(d *disk) view {
		if d == here {
			return ordered
		}
		return certain
	}), fmt.Sprintf("%s %s of %s", n.name, c.Op, c.Path))
}

// excuse forgets updates that have come to data which was bad already: its directory
// has just gone to the quarantine as a whole, as in Swift.
func (t *truth) excuse(o *object, d *disk) {
	at := "quarantined/" + o.policy.Dir() + "/"
	for _, name := range d.fs.Names(at) {
		if !strings.HasPrefix(name, o.hash) {
			continue
		}
		bad := slices.ContainsFunc(d.fs.Names(at+name), func(file string) bool {
			l, _ := d.fs.Look(at + name + "/" + file)
			return strings.HasSuffix(file, ".data") && !whole(file, l)
		})
		for _, file := range d.fs.Names(at + name) {
			if bad && strings.HasSuffix(file, ".meta") && o.acked[file] && !t.copies(o, all(seen))[file] {
				t.world.edge("excused: update beside bad data")
				delete(o.acked, file)
			}
		}
	}
}

func (t *truth) lost(o *object, why, when string) {
	if why != "" && !t.lostYet[o.String()] {
		t.lostYet[o.String()] = true
		t.world.problem("lost: %s: %s: %s", when, o, why)
	}
}

// all checks every object: it must be there, and still be there after a power cut of
// all nodes at once. And nothing may be below a mount point without its disk.
func (t *truth) all() {
	for _, k := range slices.Sorted(maps.Keys(t.objects)) {
		t.lost(t.objects[k], t.missing(t.objects[k], all(seen)), "seen")
		t.lost(t.objects[k], t.missing(t.objects[k], all(durable)), "durable")
	}
	for _, n := range t.world.nodes {
		for _, d := range n.disks {
			if names := n.system.Names(d.path()); len(names) > 0 {
				t.world.problem("wrong: below the mount point of %s: %v", d, names)
			}
		}
	}
}

// unsettled tells what a cluster that has come to rest would not show: up to most
// lines.
func (t *truth) unsettled(most int) (found []string) {
	tell := func(format string, args ...any) {
		if len(found) < most {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(t.objects)) {
		o := t.objects[k]
		if len(o.acked) == 0 || o.loose {
			continue
		}
		t.settledObject(o, tell)
	}
	return found
}

func (t *truth) settledObject(o *object, tell func(string, ...any)) {
	want := newest(o.acked)
	primaries := o.policy.Primaries(o.part)
	var first times
	begun := false
	for _, n := range t.world.nodes {
		for _, d := range n.disks {
			files := map[string]bool{}
			for _, file := range d.fs.Names(o.dir()) {
				if _, err := diskfile.ParseName(file); err == nil {
					files[file] = true
				}
			}
			if !slices.Contains(primaries, lab.Spot{Node: n.number, Device: d.name}) {
				if len(files) > 0 && !waiting(files, newest(t.copies(o, all(seen)))) {
					tell("left: %s on handoff %s: %v", o, d, slices.Sorted(maps.Keys(files)))
				}
				continue
			}
			have := newest(files)
			switch {
			case have.base < want.base && want.tomb != "" && have.base != "":
				tell("resurrected: %s on %s: %+v, not %+v", o, d, have, want)
			case have.base < want.base || have.base == want.base && have.meta < want.meta:
				tell("short: %s on %s: %+v, not %+v", o, d, have, want)
			case begun && have != first:
				tell("differ: %s on %s: %+v and %+v", o, d, have, first)
			}
			first, begun = have, true
			t.content(o, d, files, tell)
		}
	}
}

// waiting tells whether there is only metadata, the newest of it newer than the tombstone
// of an object that is deleted now: a handoff keeps it, since data in between may yet
// turn up.
func waiting(files map[string]bool, now times) bool {
	newest := ""
	for file := range files {
		at, meta := strings.CutSuffix(file, ".meta")
		if !meta {
			return false
		}
		newest = max(newest, at)
	}
	return now.tomb != "" && newest > now.tomb
}

// content compares the data files with what was written.
func (t *truth) content(o *object, d *disk, files map[string]bool, tell func(string, ...any)) {
	for file := range files {
		l, _ := d.fs.Look(o.dir() + "/" + file)
		if !whole(file, l) {
			tell("wrong: %s on %s: %s is not whole", o, d, file)
			continue
		}
		if strings.HasSuffix(file, ".data") {
			sum := md5.Sum(l.Data)
			if want, known := o.sums[file]; !known || want != hex.EncodeToString(sum[:]) {
				tell("wrong: %s on %s: %s has another content", o, d, file)
			}
		}
	}
}
