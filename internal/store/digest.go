package store

import (
	"context"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/native"
	"understudy/messages"
)

// freshFor is how long after its last change a file may change once more without
// another time stamp, with much to spare: kernels count in milliseconds.
const freshFor = 2 * time.Second

// Digests is Hashes for many partitions of one device, told as digests. A partition
// that is as it was when its digest was last made costs two calls of stat. Each
// digest is handed to each with its place in asks; when that returns false the rest
// is left. The error is *messages.DeviceError or what ended the whole; what is the
// matter with one partition is in its report.
//
// No decision to remove anything may rest on a digest.
func (s *Store) Digests(ctx context.Context, device string, asks []messages.DigestAsk, each func(i int, r messages.DigestReport) bool) error {
	d, err := s.openDevice(ctx, device)
	if err != nil {
		return err
	}
	w := &digester{Store: s, name: device, device: d, objects: map[int]*Dir{}}
	defer w.close()
	for i, ask := range asks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !each(i, w.digest(ctx, ask)) {
			return nil
		}
	}
	return nil
}

// digester makes digests on a verified device.
type digester struct {
	*Store
	name    string
	device  Dir
	objects map[int]*Dir // by policy; nil where there is no directory
}

func (w *digester) close() {
	for _, d := range w.objects {
		if d != nil {
			w.fs.CloseDir(*d)
		}
	}
	w.fs.CloseDir(w.device)
}

func (w *digester) digest(ctx context.Context, ask messages.DigestAsk) messages.DigestReport {
	place := digestPlace{w.name, ask.Policy}
	begun := w.now()
	before, known := w.look(ask)
	if known && !ask.List {
		if e, ok := w.digests.get(place, ask.Number, before.print); ok {
			return messages.DigestReport{Digest: e.digest, Suffixes: int(e.suffixes)}
		}
	}
	report, err := w.Hashes(ctx, messages.Partition{Device: w.name, Policy: ask.Policy, Number: ask.Number}, messages.HashOptions{List: ask.List})
	if err != nil {
		w.digests.forget(place, ask.Number)
		return messages.DigestReport{Err: err}
	}
	out := messages.DigestReport{Suffixes: len(report.Hashes), Hashed: report.Hashed}
	if out.Digest, err = native.DigestOf(report.Hashes); err != nil {
		return messages.DigestReport{Err: err}
	}
	after, still := w.look(ask)
	switch {
	case known && still && before.print == after.print && begun.Sub(after.newest) > freshFor && whole(report):
		w.digests.put(place, digestEntry{number: ask.Number, suffixes: uint16(len(report.Hashes)), print: after.print, digest: out.Digest})
	default:
		w.digests.forget(place, ask.Number)
	}
	return out
}

// whole tells whether the hashes need no second attempt: a suffix without a hash is
// hashed again whenever somebody asks.
func whole(r messages.HashReport) bool {
	for _, sum := range r.Hashes {
		if sum == "" {
			return false
		}
	}
	return r.Ill == nil && r.Hashed == 0
}

// sight is what stat shows of a partition's two files.
type sight struct {
	print  uint64    // of all that changes when the hashes do
	newest time.Time // latest change of either
}

// look describes the files that hold a partition's hashes. It fails if they do not
// say all: when there is no hashes.pkl, or hashes.invalid is not empty.
func (w *digester) look(ask messages.DigestAsk) (sight, bool) {
	objects := w.policy(ask.Policy)
	if objects == nil {
		return sight{}, false
	}
	name := strconv.FormatUint(uint64(ask.Number), 10) + "/"
	cached, err := w.fs.Stat(*objects, name+hashFile, false)
	if err != nil || !cached.IsRegular() {
		return sight{}, false
	}
	marks, err := w.fs.Stat(*objects, name+invalidFile, false)
	if !is(err, unix.ENOENT) && (err != nil || !marks.IsRegular() || marks.Size != 0) {
		return sight{}, false // a missing one marks nothing
	}
	out := sight{print: w.digests.print(cached, marks), newest: cached.ModTime}
	for _, t := range []time.Time{cached.ChangeTime, marks.ModTime, marks.ChangeTime} {
		if t.After(out.newest) {
			out.newest = t
		}
	}
	return out, true
}

// policy is the directory of a policy's partitions.
func (w *digester) policy(index int) *Dir {
	d, known := w.objects[index]
	if !known {
		if open, err := w.fs.OpenDir(w.device, messages.ObjectsDir(index), false); err == nil {
			d = &open
		}
		w.objects[index] = d
	}
	return d
}
