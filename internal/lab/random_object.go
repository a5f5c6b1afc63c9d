package lab

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
)

// WorldObject is one object: what every device was left with by the writes that
// reached it, and so what it must become.
type WorldObject struct {
	Policy    *WorldPolicy
	Name      string // /account/container/object
	Partition uint32
	Suffix    string
	Hash      string
	Files     map[string]*File  // all that was written and not superseded where it was
	Copies    map[Spot][]string // names of those files, by device
	Want      state             // of all these files together
	Notes     map[string]string // of the updates, by time
	Types     map[string]string // that updates have set, by time
	Loose     bool              // deleted longer ago than the reclaim age: it may be back, but everywhere
	Torn      []Spot            // primaries on which a power cut has emptied the newest files
}

// Dir is the object's directory on a device.
func (o *WorldObject) Dir() string {
	return filepath.Join(o.Policy.Dir(), strconv.FormatUint(uint64(o.Partition), 10), o.Suffix, o.Hash)
}

// Handoff tells whether a device is none of the object's primaries.
func (o *WorldObject) Handoff(s Spot) bool {
	return !slices.Contains(o.Policy.Primaries(o.Partition), s)
}

func (w *World) drawObjects(d dice, spec WorldSpec) {
	rng := d.of("objects")
	count := 20 + rng.IntN(41)
	if spec.Small {
		count = 10 + rng.IntN(11)
	}
	var replicated []*WorldPolicy
	for _, p := range w.Policies {
		if !p.Erasure {
			replicated = append(replicated, p)
		}
	}
	bare := map[Spot]bool{} // disks that were replaced: they have seen nothing yet
	for _, s := range w.Spots() {
		if chance(rng, 10) {
			bare[s] = true
		}
	}
	habits := habits{beyondASCII: chance(rng, 2), offsets: chance(rng, 2), plainPosts: spec.Ssync}
	for i := range count {
		w.drawObject(d.of("object %d", i), i, pick(rng, replicated), bare, habits)
	}
	if spec.Torn {
		w.tear(d.of("torn"))
	}
}

// habits are what a world's clients do. Swift's ssync of 2.30 spoils both, so
// that with either a stock cluster does not settle.
type habits struct {
	beyondASCII bool // headers have other characters than those of ASCII
	offsets     bool // times have offsets, as the reconciler makes them

	// plainPosts spares receivers of ssync what they cannot be told, and so keeps
	// on a handoff for ever: updates of objects whose times have offsets (2.30), and
	// updates without an upload beside a tombstone.
	plainPosts bool
}

func (w *World) drawObject(rng *rand.Rand, serial int, policy *WorldPolicy, bare map[Spot]bool, h habits) {
	account, container, object := "AUTH_lab", pick(rng, containers), fmt.Sprintf(pick(rng, names), serial)
	sum := worldHasher.Hash(account, container, object)
	o := &WorldObject{
		Policy: policy, Name: "/" + account + "/" + container + "/" + object,
		Partition: hashpath.Partition(sum, uint(32-policy.Ring.PartPower)),
		Suffix:    hashpath.Suffix(sum), Hash: hex.EncodeToString(sum[:]),
		Files: map[string]*File{}, Copies: map[Spot][]string{}, Notes: map[string]string{}, Types: map[string]string{},
	}
	l := &life{habits: h, rng: rng, object: o}
	l.live(w.Now)
	reach := newReach(rng, policy, o.Partition, bare)
	for _, op := range l.ops {
		for _, s := range reach.draw() {
			l.apply(op, s)
		}
	}
	var all []string
	for s, files := range o.Copies {
		if len(files) == 0 {
			delete(o.Copies, s)
		}
		all = append(all, files...)
	}
	maps.DeleteFunc(o.Files, func(name string, _ *File) bool { return !slices.Contains(all, name) })
	if len(all) == 0 {
		return // nobody took it
	}
	o.Want = stateOf(all)
	o.Loose = o.Want.Tombstone != "" && l.buried
	w.Objects = append(w.Objects, o)
}

// life draws what happens to one object, and plays it.
type life struct {
	habits
	rng    *rand.Rand
	object *WorldObject
	ops    []op
	buried bool // a deletion in it is older than the reclaim age
}

// op is one request of a client.
type op struct {
	verb string // PUT, POST or DELETE
	at   timestamp.Timestamp
	data *File  // of a PUT
	note string // of a POST
	typ  string // its content type, if it has one
}

// live draws the requests, mostly in the order of their times.
func (l *life) live(now time.Time) {
	at := now.Add(-2*time.Hour - time.Duration(l.rng.Int64N(int64(20*time.Hour))))
	verbs := pick(l.rng, []string{
		"PUT", "PUT", "PUT PUT", "PUT POST", "PUT TYPE", "PUT DELETE", "PUT DELETE PUT", "PUT POST PUT", "DELETE",
		"PUT TYPE POST", "PUT POST TYPE POST", "PUT TYPE PUT POST", "PUT POST DELETE", "PUT DELETE PUT TYPE POST",
		"PUT PUT PUT", "PUT TYPE TYPE", "PUT POST DELETE PUT", "OLD PUT", "OLD DELETE", "OLD PUT DELETE", "OLD PUT DELETE; PUT",
	})
	start, _ := timestamp.FromTime(at) // in range: it is about now
	raw := start.Raw
	if l.plainPosts && l.posts(verbs) {
		l.offsets = false
	}
	for _, verb := range strings.Fields(verbs) {
		verb, renewed := strings.CutSuffix(verb, ";")
		if verb == "OLD" {
			raw -= int64((ReclaimAge + time.Duration(l.rng.Int64N(int64(90*time.Hour)))) / (10 * time.Microsecond))
			continue
		}
		raw += 1 + l.rng.Int64N(10_000_000) // up to 100 seconds
		l.request(verb, timestamp.Timestamp{Raw: raw})
		if verb == "DELETE" && strings.HasPrefix(verbs, "OLD") {
			l.buried = true
		}
		if renewed {
			raw = start.Raw
		}
	}
	if chance(l.rng, 4) && !(l.plainPosts && l.posts(verbs) && strings.Contains(verbs, "DELETE")) {
		l.rng.Shuffle(len(l.ops), func(i, j int) { l.ops[i], l.ops[j] = l.ops[j], l.ops[i] })
	}
}

func (l *life) posts(verbs string) bool {
	return strings.Contains(verbs, "POST") || strings.Contains(verbs, "TYPE")
}

func (l *life) request(verb string, at timestamp.Timestamp) {
	if chance(l.rng, 12) && l.offsets && verb != "TYPE" {
		at.Offset = 1 + l.rng.Uint64N(40) // as the reconciler writes them
	}
	switch verb {
	case "PUT":
		l.ops = append(l.ops, op{verb: verb, at: at, data: l.upload(at)})
	case "POST":
		l.ops = append(l.ops, op{verb: "POST", at: at, note: l.word(notes)})
	case "TYPE":
		l.ops = append(l.ops, op{verb: "POST", at: at, note: l.word(notes), typ: l.word(types)})
	case "DELETE":
		l.ops = append(l.ops, op{verb: verb, at: at})
	}
}

// word draws a header's value.
func (l *life) word(from []string) string {
	w := pick(l.rng, from)
	if !l.beyondASCII && strings.ContainsFunc(w, func(r rune) bool { return r > 127 }) {
		return "plain"
	}
	return w
}

// upload makes the file of a PUT. Swift: obj/server.py PUT.
func (l *life) upload(at timestamp.Timestamp) *File {
	size := 1 + l.rng.IntN(1<<(1+l.rng.IntN(13)))
	switch n := l.rng.IntN(30); {
	case n < 4:
		size = 0
	case n < 6: // several chunks
		size = 65536 + l.rng.IntN(150_000)
	}
	b := body{seed: l.rng.Uint64(), size: size}
	content := b.append(nil)
	etag := md5.Sum(content)
	return &File{
		Name: at.Internal() + ".data", Size: int64(size), SHA256: sha256.Sum256(content), body: b,
		Metadata: metadata.Metadata{
			{Name: "X-Timestamp", Value: at.Internal()},
			{Name: "Content-Type", Value: l.word(types)},
			{Name: "Content-Length", Value: strconv.Itoa(size)},
			{Name: "ETag", Value: hex.EncodeToString(etag[:])},
			{Name: "X-Object-Meta-Note", Value: l.word(notes)},
			{Name: "name", Value: l.object.Name},
		},
	}
}

// apply does a request on one device as its object server would, which refuses
// what is too old there, and a POST to nothing. Swift: obj/server.py.
func (l *life) apply(o op, s Spot) {
	have := stateOf(l.object.Copies[s])
	at := o.at.Internal()
	switch o.verb {
	case "PUT":
		if max(have.Data, have.Tombstone) < at {
			l.keep(s, *o.data)
		}
	case "DELETE":
		if max(have.Data, have.Tombstone) < at {
			l.keep(s, empty(at+".ts", metadata.Metadata{
				{Name: "X-Timestamp", Value: at}, {Name: "name", Value: l.object.Name},
			}))
		}
	case "POST":
		l.post(o, s, have)
	}
}

// post writes a .meta. One without a content type carries on the one that is in
// force, unless the upload has brought it. Swift: obj/server.py POST.
func (l *life) post(o op, s Spot, have state) {
	at, typed := o.at.Internal(), max(have.Ctype, have.Data)
	newer := o.typ != "" && at > typed
	if have.Data == "" || at <= max(have.Data, have.Meta) && !newer {
		return
	}
	l.object.Notes[at] = o.note
	ctype := have.Ctype
	if newer {
		l.object.Types[at], ctype = o.typ, at
	}
	l.keep(s, *l.object.update(max(at, have.Meta), ctype))
}

// update is the file of an update of a time, with the content type that was set
// at another: one of those that requests have left, or that a receiver of ssync
// makes of two of them. It is nil if there was no such update.
func (o *WorldObject) update(at, ctype string) *File {
	note, known := o.Notes[at]
	typ, typed := o.Types[ctype]
	if !known || ctype != "" && !typed {
		return nil
	}
	m := metadata.Metadata{
		{Name: "X-Timestamp", Value: at}, {Name: "name", Value: o.Name}, {Name: "X-Object-Meta-Note", Value: note},
	}
	stem := at
	if typed {
		set := parsed(ctype)
		stem = timestamp.Encode(parsed(at), &set)
		m = append(m, metadata.Pair{Name: "Content-Type", Value: typ}, metadata.Pair{Name: "Content-Type-Timestamp", Value: ctype})
	}
	f := empty(stem+".meta", m)
	return &f
}

// file is the file that a name must stand for, or nil.
func (o *WorldObject) file(base string) *File {
	if n, _ := parseName(base); n.ext == "meta" {
		return o.update(n.at, n.ctype)
	}
	return o.Files[base]
}

func parsed(internal string) timestamp.Timestamp {
	t, err := timestamp.Parse(internal)
	if err != nil {
		panic(fmt.Sprintf("drew a time that is none: %v", err))
	}
	return t
}

// keep adds a file to a device and drops what it supersedes there.
func (l *life) keep(s Spot, f File) {
	o := l.object
	if o.Files[f.Name] == nil {
		o.Files[f.Name] = &f
	}
	files := append(o.Copies[s], f.Name)
	gone := superseded(files)
	files = slices.DeleteFunc(files, func(name string) bool { return slices.Contains(gone, name) })
	slices.Sort(files)
	o.Copies[s] = slices.Compact(files)
}

// reach draws which devices a request reaches: primaries and, when they cannot
// be reached, handoffs. Every request reaches somebody.
type reach struct {
	rng       *rand.Rand
	primaries []Spot
	handoffs  []Spot
}

func newReach(rng *rand.Rand, p *WorldPolicy, part uint32, bare map[Spot]bool) *reach {
	r := &reach{rng: rng}
	primaries := p.Primaries(part)
	for _, s := range p.spots {
		switch {
		case s == (Spot{}) || bare[s]:
		case slices.Contains(primaries, s):
			r.primaries = append(r.primaries, s)
		default:
			r.handoffs = append(r.handoffs, s)
		}
	}
	if len(r.primaries)+len(r.handoffs) == 0 { // all are bare: somebody must have it
		r.primaries = primaries[:1]
	}
	return r
}

func (r *reach) draw() []Spot {
	up, away := 75, 12 // percent of each
	switch n := r.rng.IntN(10); {
	case n < 3:
		up = 100
	case n < 5:
		up, away = 0, 60
	}
	var spots []Spot
	for _, s := range r.primaries {
		if r.rng.IntN(100) < up {
			spots = append(spots, s)
		}
	}
	for _, s := range r.handoffs {
		if r.rng.IntN(100) < away {
			spots = append(spots, s)
		}
	}
	if len(spots) == 0 {
		spots = append(spots, pick(r.rng, append(slices.Clone(r.primaries), r.handoffs...)))
	}
	return spots
}

// tear makes some objects such that the only whole copies of their newest upload
// are on handoffs, while primaries hold files of that name that are empty: what a
// power cut leaves of files that nobody had synced.
func (w *World) tear(rng *rand.Rand) {
	for _, o := range w.Objects {
		file := o.Want.Data + ".data"
		if o.Want.Data == "" || o.Want.Meta != "" || o.Files[file].Size == 0 || len(o.Files) != 1 {
			continue
		}
		var away []Spot
		for _, s := range o.Policy.spots {
			if s != (Spot{}) && o.Handoff(s) {
				away = append(away, s)
			}
		}
		if len(away) == 0 || chance(rng, 2) {
			continue
		}
		o.Copies = map[Spot][]string{pick(rng, away): {file}}
		o.Torn = o.Policy.Primaries(o.Partition)
	}
}
