package lab

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
)

// Draw says which objects to make. The same Draw makes the same objects.
type Draw struct {
	Objects int
	Seed    uint64
	Base    time.Time // of the first write; the last is within two hours of it
	Ssync   bool      // no times that ssync cannot carry

	Written func() // called by Seed for each object that it has written, from several goroutines; may be nil
}

const (
	maxObjectSize = 1 << 20
	drawSpan      = time.Hour // from the first object to the last
)

// objects draws one object after the other from one source of randomness. It may
// take a while: every content is made once to be hashed.
func (d Draw) objects(ctx context.Context, hasher hashpath.Hasher, partShift uint) ([]Object, error) {
	all := make([]Object, 0, d.Objects)
	rng := rand.New(rand.NewPCG(d.Seed, 1))
	for i := range d.Objects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := d.Base.Add(time.Duration(i) * drawSpan / time.Duration(d.Objects))
		start, err := timestamp.FromTime(at)
		if err != nil {
			start = timestamp.Timestamp{} // before the epoch: Swift has no earlier time
		}
		account, container, object := "AUTH_lab", pick(rng, containers), fmt.Sprintf(pick(rng, names), i)
		sum := hasher.Hash(account, container, object)
		w := writer{rng: rng, now: start, ssync: d.Ssync, name: "/" + account + "/" + container + "/" + object}
		files := w.life()
		all = append(all, Object{
			Name: w.name, Partition: hashpath.Partition(sum, partShift),
			Suffix: hashpath.Suffix(sum), Hash: hex.EncodeToString(sum[:]), Files: files, Carried: w.carried,
		})
	}
	return all, nil
}

var (
	containers = []string{"photos", "backup", "reisen", "日記", "with space"}
	names      = []string{
		"%06d.jpg", "2026/07/%06d.txt", "Zürich ☃ %d.png", "quote'\"%d", "per%%cent-%d",
		"sl/ash//es/%d", "資料/%d", "new\nline %d", "-dash%d", "#hash?query&%d",
	}
	types = []string{"image/jpeg", "text/plain; charset=UTF-8", "application/x-tar", "text/ü"}
	notes = []string{"blue", "grün", "赤", "", "a somewhat longer remark that takes some room"}
)

// writer makes the files that the life of one object leaves behind.
type writer struct {
	rng   *rand.Rand
	now   timestamp.Timestamp
	name  string
	ssync bool

	carried []File // see Object
}

// life is what remains of an object's uploads, updates and deletion.
func (w *writer) life() []File {
	switch n := w.rng.IntN(100); {
	case n < 8:
		return []File{w.tombstone()}
	case n < 16: // updated, content type untouched
		return []File{w.data(), w.meta(nil)}
	case n < 24: // updated, with a new content type
		data := w.data()
		now := w.tick()
		return []File{data, w.metaAt(now, &now)}
	case n < 30: // updated again later: the file remembers when the type was set
		data, typed := w.data(), w.tick()
		return []File{data, w.meta(&typed)}
	case n < 34: // two updates that met only here: each knows something newer
		data := w.data()
		typed := w.tick()
		if w.ssync {
			typed.Offset = 0 // the one file that ssync makes of the two has no room for it
		}
		older, at := w.metaAt(typed, &typed), w.tick()
		newer := w.metaAt(at, nil)
		w.carried = []File{data, merged(older, newer, at, typed)}
		return []File{data, older, newer}
	}
	return []File{w.data()}
}

// tick is the time of the next write, with an offset now and then, as the
// reconciler writes them.
func (w *writer) tick() timestamp.Timestamp {
	w.now.Raw += 1 + w.rng.Int64N(1_000_000) // up to ten seconds
	t := timestamp.Timestamp{Raw: w.now.Raw}
	if w.rng.IntN(12) == 0 {
		t.Offset = 1 + w.rng.Uint64N(40)
	}
	return t
}

// data is an upload. Swift: obj/server.py PUT.
func (w *writer) data() File {
	at := w.tick()
	b := body{seed: w.rng.Uint64(), size: w.size()}
	content := b.append(nil)
	etag := md5.Sum(content)
	m := metadata.Metadata{
		{Name: "X-Timestamp", Value: at.Internal()},
		{Name: "Content-Type", Value: pick(w.rng, types)},
		{Name: "Content-Length", Value: strconv.Itoa(b.size)},
		{Name: "ETag", Value: hex.EncodeToString(etag[:])},
		{Name: "X-Object-Meta-Note", Value: pick(w.rng, notes)},
		{Name: "X-Object-Sysmeta-Draw", Value: strconv.FormatUint(b.seed, 16)},
		{Name: "name", Value: w.name},
	}
	return File{
		Name: at.Internal() + ".data", Size: int64(b.size), SHA256: sha256.Sum256(content), Metadata: m, body: b,
	}
}

// size draws a content length: some are empty, most are small, few are large.
func (w *writer) size() int {
	switch n := w.rng.IntN(100); {
	case n < 8:
		return 0
	case n < 10:
		return maxObjectSize - w.rng.IntN(maxObjectSize/8)
	case n < 13: // around the size of a chunk
		return 65536 - 1 + w.rng.IntN(3)
	}
	return 1 + w.rng.IntN(1<<(1+w.rng.IntN(16)))
}

func (w *writer) meta(typed *timestamp.Timestamp) File { return w.metaAt(w.tick(), typed) }

// metaAt is an update of an object's metadata. Swift: obj/server.py POST.
func (w *writer) metaAt(at timestamp.Timestamp, typed *timestamp.Timestamp) File {
	m := metadata.Metadata{
		{Name: "X-Timestamp", Value: at.Internal()},
		{Name: "name", Value: w.name},
		{Name: "X-Object-Meta-Note", Value: pick(w.rng, notes)},
	}
	if typed != nil {
		if *typed != at {
			typed.Offset = 0 // the name has no room for it
		}
		m = append(m,
			metadata.Pair{Name: "Content-Type", Value: pick(w.rng, types)},
			metadata.Pair{Name: "Content-Type-Timestamp", Value: typed.Internal()})
	}
	stem := at.Internal()
	if typed != nil {
		stem = timestamp.Encode(at, typed)
	}
	return empty(stem+".meta", m)
}

// merged is the one file in which ssync carries an update with the content type of
// an older one. Swift: obj/ssync_sender.py send_post.
func merged(older, newer File, at, typed timestamp.Timestamp) File {
	m := slices.Clone(newer.Metadata)
	for _, p := range older.Metadata {
		if strings.HasPrefix(p.Name, "Content-Type") {
			m = append(m, p)
		}
	}
	return empty(timestamp.Encode(at, &typed)+".meta", m)
}

// tombstone is a deletion. Swift: obj/server.py DELETE.
func (w *writer) tombstone() File {
	at := w.tick()
	return empty(at.Internal()+".ts", metadata.Metadata{
		{Name: "X-Timestamp", Value: at.Internal()}, {Name: "name", Value: w.name},
	})
}

func empty(name string, m metadata.Metadata) File {
	return File{Name: name, SHA256: sha256.Sum256(nil), Metadata: m}
}

// body is content that can be made again at any time.
type body struct {
	seed uint64
	size int
}

func (b body) append(dst []byte) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], b.seed)
	source := rand.NewChaCha8(key)
	start := len(dst)
	dst = append(dst, make([]byte, b.size)...)
	_, _ = source.Read(dst[start:]) // never fails
	return dst
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
