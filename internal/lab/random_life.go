package lab

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
)

// habits are what a world's clients do. Swift's ssync of 2.30 spoils both, so
// that with either a stock cluster does not settle.
type habits struct {
	beyondASCII bool // headers have other characters than those of ASCII
	offsets     bool // times have offsets, as the reconciler makes them

	// plainPosts spares receivers of ssync what they cannot be told: updates of
	// objects whose times have offsets (2.30), and updates without the upload that
	// they belong to when there was a deletion. A receiver that has a tombstone does
	// not say whether it lacks an update: it stays on the handoff for ever, or is lost.
	plainPosts bool
}

// life draws what happens to one object, and plays it.
type life struct {
	habits
	rng     *rand.Rand
	object  *WorldObject
	ops     []op
	deletes bool // there is a deletion among them
	buried  bool // a deletion in it is older than the reclaim age
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
	l.deletes = strings.Contains(verbs, "DELETE")
	if chance(l.rng, 4) && !(l.plainPosts && l.posts(verbs) && l.deletes) {
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
	return l.uploadOf(at, size)
}

// uploadOf makes the file of a PUT of so many bytes.
func (l *life) uploadOf(at timestamp.Timestamp, size int) *File {
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
	if l.plainPosts && l.deletes && have.Data != l.uploaded(at) {
		return
	}
	l.object.Notes[at] = o.note
	ctype := have.Ctype
	if newer {
		l.object.Types[at], ctype = o.typ, at
	}
	l.keep(s, *l.object.update(max(at, have.Meta), ctype))
}

// uploaded is the time of the last upload before a time.
func (l *life) uploaded(before string) (last string) {
	for _, o := range l.ops {
		if at := o.at.Internal(); o.verb == "PUT" && at < before {
			last = max(last, at)
		}
	}
	return last
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
