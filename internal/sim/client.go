package sim

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/lab"
	"understudy/internal/sim/simfs"
	"understudy/internal/store"
	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/hashes"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
)

// clients write while the cluster replicates, by way of object servers as Swift's:
// those take no lock that a replicator holds.
type clients struct {
	rng  *rand.Rand
	made int
	last int64 // the time of the last request
	busy int   // requests of which a server still works on
}

// request is one file that clients want on some disks.
type request struct {
	object *object
	file   string
	look   simfs.Look
}

// request begins one request to some servers.
func (w *world) request() {
	c := &w.clients
	keys := slices.Sorted(maps.Keys(w.truth.objects))
	if len(keys) == 0 {
		return
	}
	c.made++
	o := w.truth.objects[keys[c.rng.IntN(len(keys))]]
	if o.loose || o.name == "" {
		return
	}
	now, _ := timestamp.FromTime(time.Now())
	now.Raw = max(now.Raw, c.last+1)
	c.last = now.Raw
	r := c.draw(o, now)
	o.know(r.file, r.look)
	for _, s := range c.targets(w, o) {
		d := w.diskAt(s)
		b := d.node.boot
		if b == nil {
			continue
		}
		c.busy++
		w.sched.Post(fmt.Sprintf("client %d %s", c.made, d), func() {
			go func() {
				err := b.write(d, r)
				w.sched.Post("client answered by "+d.String(), func() {
					c.busy--
					if err != nil {
						w.edge("client refused")
						return
					}
					w.edge("client write")
					o.acked[r.file] = true
				})
			}()
		})
	}
}

// draw makes a PUT, POST or DELETE of an object.
func (c *clients) draw(o *object, at timestamp.Timestamp) request {
	text := at.Internal()
	m := metadata.Metadata{{Name: "X-Timestamp", Value: text}, {Name: "name", Value: o.name}}
	r := request{object: o}
	have := newest(o.acked)
	switch n := c.rng.IntN(10); {
	case n < 2:
		r.file = text + ".ts"
	case n < 4 && have.tomb == "":
		r.file = text + ".meta"
		m = append(m, metadata.Pair{Name: "X-Object-Meta-Note", Value: strconv.Itoa(c.made)})
	default:
		r.file = text + ".data"
		r.look.Data = make([]byte, c.rng.IntN(1<<c.rng.IntN(18)))
		for i := range r.look.Data {
			r.look.Data[i] = byte(c.rng.IntN(256))
		}
		sum := md5.Sum(r.look.Data)
		m = append(m, metadata.Pair{Name: "Content-Type", Value: "text/plain"}, metadata.Pair{Name: "ETag", Value: hex.EncodeToString(sum[:])},
			metadata.Pair{Name: "Content-Length", Value: strconv.Itoa(len(r.look.Data))})
	}
	raw := metadata.Encode(m)
	r.look.Attrs = map[string][]byte{metadata.Attribute: raw, metadata.ChecksumAttribute: []byte(metadata.Checksum(raw))}
	return r
}

// targets are mostly the primaries; in the place of some there is another disk.
func (c *clients) targets(w *world, o *object) []lab.Spot {
	spots := slices.Clone(o.policy.Primaries(o.part))
	// A device that the policy's ring does not know is nobody's, as in Swift.
	all := slices.DeleteFunc(w.drawn.Spots(), func(s lab.Spot) bool { return !o.policy.In(s) })
	for i := range spots {
		if c.rng.IntN(5) == 0 {
			spots[i] = all[c.rng.IntN(len(all))]
		}
	}
	spots = spots[c.rng.IntN(len(spots)):]
	slices.SortFunc(spots, func(a, b lab.Spot) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(spots)
}

func (w *world) diskAt(s lab.Spot) *disk {
	for _, n := range w.nodes {
		for _, d := range n.disks {
			if n.number == s.Node && d.name == s.Device {
				return d
			}
		}
	}
	return nil
}

var errOlder = errors.New("there is a newer version")

// write does on one disk what an object server does, carefully: all is durable
// before it answers.
func (b *boot) write(d *disk, r request) (err error) {
	fs := store.FS(b.machine)
	if err := b.store.Check(context.Background(), d.name); err != nil {
		return err
	}
	var open []store.Dir
	defer func() {
		for _, at := range open {
			_ = fs.CloseDir(at)
		}
	}()
	enter := func() error {
		at, err := fs.OpenDir(store.Root, d.path(), true)
		if err != nil {
			return err
		}
		open = append(open, at)
		if i, err := fs.Stat(at, "", false); err != nil || i.Dev == uint64(d.node.number*100) {
			return errors.Join(err, unix.ENODEV)
		}
		for name := range strings.SplitSeq(r.object.dir(), "/") {
			next, err := fs.OpenDir(at, name, false)
			if errors.Is(err, unix.ENOENT) {
				if err = fs.Mkdir(at, name); err == nil || errors.Is(err, unix.EEXIST) {
					next, err = fs.OpenDir(at, name, false)
				}
			}
			if err != nil {
				return err
			}
			open = append(open, next)
			at = next
		}
		return nil
	}
	if err := enter(); err != nil {
		return err
	}
	leaf := open[len(open)-1]
	if err := b.acceptable(leaf, r); err != nil {
		return err
	}
	f, err := b.draft(leaf, r)
	if err != nil {
		return err
	}
	defer f.Close()
	for range 3 {
		if err = b.mark(open[len(open)-3], r.object.hash[29:]); err != nil {
			return err
		}
		if err = f.LinkInto(leaf, r.file); err == nil {
			break
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		for _, at := range open {
			_ = fs.CloseDir(at)
		}
		open = nil
		if err := enter(); err != nil {
			return err
		}
		leaf = open[len(open)-1]
	}
	if err != nil {
		return err
	}
	for i := len(open) - 1; i >= 0; i-- {
		if err := fs.SyncDir(open[i]); err != nil {
			return err
		}
	}
	return b.clean(open[0], open[len(open)-3], leaf, r)
}

// acceptable tells whether a request is newer than what is there.
func (b *boot) acceptable(leaf store.Dir, r request) error {
	names, err := b.machine.ReadDir(leaf, "", nil)
	if err != nil {
		return err
	}
	files := map[string]bool{}
	for _, name := range names {
		files[name] = true
	}
	have := newest(files)
	at, _, _ := strings.Cut(r.file, ".data")
	if strings.HasSuffix(r.file, ".meta") {
		at = strings.TrimSuffix(r.file, ".meta")
		if have.base == "" || have.tomb != "" {
			return errors.New("no object")
		}
	}
	if max(have.base, have.meta) >= at {
		return errOlder
	}
	return nil
}

func (b *boot) draft(leaf store.Dir, r request) (store.NewFile, error) {
	made, err := b.machine.OpenFile(leaf, ".", unix.O_TMPFILE|unix.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	f := made.(store.NewFile)
	_, err = f.Write(r.look.Data)
	for _, name := range slices.Sorted(maps.Keys(r.look.Attrs)) {
		if err == nil {
			err = f.SetAttribute(name, r.look.Attrs[name])
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// mark notes in hashes.invalid that a suffix has changed.
func (b *boot) mark(part store.Dir, suffix string) error {
	lock, err := b.machine.OpenFile(part, ".lock", unix.O_WRONLY|unix.O_CREAT, 0o666)
	if err != nil {
		return err
	}
	defer lock.Close()
	for tries := 0; ; tries++ {
		ok, err := lock.TryLock()
		if err != nil {
			return err
		}
		if ok {
			break
		}
		if tries == 100 {
			return errors.New("no lock")
		}
		time.Sleep(100 * time.Millisecond)
	}
	f, err := b.machine.OpenFile(part, "hashes.invalid", unix.O_RDWR|unix.O_CREAT|unix.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(hashes.AppendInvalid(nil, suffix))
	return errors.Join(err, f.Sync(), f.Close(), b.machine.SyncDir(part))
}

// clean marks the suffix again and unlinks what the new file has overtaken.
func (b *boot) clean(device, part, leaf store.Dir, r request) error {
	if err := b.mark(part, r.object.hash[29:]); err != nil {
		return err
	}
	names, err := b.machine.ReadDir(leaf, "", nil)
	if err != nil {
		return err
	}
	if _, err := b.machine.Stat(device, r.object.dir()+"/"+r.file, false); err != nil {
		return err // overtaken, or moved away, meanwhile
	}
	// The server answers now; what follows it does for itself.
	var set diskfile.Set
	set.Read(names, time.Now(), 1<<62)
	for _, name := range slices.Clone(set.Remove) {
		_ = b.machine.Remove(leaf, name)
	}
	return nil
}
