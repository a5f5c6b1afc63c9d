package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
)

const (
	hashFile    = "hashes.pkl"
	invalidFile = "hashes.invalid"

	// maxInvalid bounds hashes.invalid, in bytes: every suffix a thousand times.
	// A longer file is not read; the partition is hashed afresh instead.
	maxInvalid = 16 << 20
)

// lockSelf takes the partition's own lock, under which hashes.pkl and
// hashes.invalid are changed.
func (w *partition) lockSelf(ctx context.Context) (*Lock, error) {
	return w.lock(ctx, w.dir, lockFile, 1, w.lockTimeout)
}

// errTooLong says that a file has more bytes than it can have.
var errTooLong = errors.New("file is too long")

// readFile reads a regular file of at most limit bytes.
func (w *partition) readFile(name string, limit int64) ([]byte, error) {
	f, err := w.fs.OpenFile(w.dir, name, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !i.IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", w.dir.Child(name))
	}
	if i.Size > limit {
		return nil, fmt.Errorf("read %s: %w", w.dir.Child(name), errTooLong)
	}
	data := make([]byte, 0, i.Size+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			if int64(len(data)) > limit {
				return nil, fmt.Errorf("read %s: %w", w.dir.Child(name), errTooLong)
			}
			data = append(data, 0)[:len(data)] // it has grown: make room
		}
	}
}

// readCache reads hashes.pkl. What cannot be read is not valid, and is never
// taken for a partition without suffixes. Swift: obj/diskfile.py read_hashes.
func (w *partition) readCache() hashes.File {
	data, err := w.readFile(hashFile, hashes.MaxSize)
	if err != nil {
		return hashes.Unreadable()
	}
	return hashes.Decode(data)
}

// writeCache replaces hashes.pkl, durably: the caller holds the lock. Updated is
// set to now, but never to what it was: readers tell writes apart by it.
// Swift: obj/diskfile.py write_hashes, common/utils write_pickle.
func (w *partition) writeCache(f *hashes.File) error {
	now := float64(w.now().UnixNano()) / 1e9
	if now == f.Updated {
		now = math.Nextafter(now, math.Inf(1))
	}
	f.Updated = now
	temp, err := w.writeTemp(f.Encode())
	if err == nil {
		if err = w.fs.Rename(w.dir, temp, w.dir, hashFile); err == nil {
			err = w.fs.SyncDir(w.dir)
		} else {
			w.fs.Remove(w.dir, temp) // Rule: our own, made a moment ago
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", hashFile, err)
	}
	return nil
}

// writeTemp writes a temporary file beside hashes.pkl and makes it durable. After
// any error, a failed fsync included, the file is gone.
func (w *partition) writeTemp(data []byte) (name string, err error) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
	var f File
	for range 100 { // as often as Python's mkstemp would be unlucky and still carry on
		random := make([]byte, 8)
		for i := range random {
			random[i] = letters[w.rand.IntN(len(letters))]
		}
		name = "tmp" + string(random) + ".tmp"
		f, err = w.fs.OpenFile(w.dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
		if !is(err, unix.EEXIST) {
			break
		}
	}
	if err != nil {
		return "", err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		w.fs.Remove(w.dir, name) // Rule: our own, made a moment ago
		return "", err
	}
	return name, nil
}

// consolidate puts what hashes.invalid says into hashes.pkl and returns the
// result. frozen tells that the disk takes no writes: the result is then right,
// but hashes.pkl is not, and hashes.invalid still says so.
// Swift: obj/diskfile.py consolidate_hashes.
func (w *partition) consolidate(ctx context.Context) (f hashes.File, frozen bool, err error) {
	lock, err := w.lockSelf(ctx)
	switch {
	case unwritable(err):
		// No lock file and no room for one, or no writing at all: then nobody else
		// writes either, and reading needs no lock.
		frozen = true
	case err != nil:
		return hashes.File{}, false, err
	default:
		defer lock.Unlock()
	}
	f = w.readCache()
	data, err := w.readFile(invalidFile, maxInvalid)
	if is(err, unix.ENOENT) {
		return f, frozen, nil
	}
	suffixes, lines := hashes.ParseInvalid(data)
	tooLong := errors.Is(err, errTooLong)
	if tooLong {
		// Everything may have changed: nothing cached is kept.
		f, lines = hashes.Unreadable(), 1
	} else if err != nil {
		return hashes.File{}, frozen, err
	}
	for _, suffix := range suffixes {
		f.Suffixes[suffix] = ""
	}
	if lines == 0 || frozen {
		return f, frozen, nil
	}
	if len(suffixes) > 0 || tooLong {
		err := w.writeCache(&f)
		if unwritable(err) {
			w.warn().Err(err).Msg("invalidations kept: disk takes no writes")
			return f, true, nil
		}
		if err != nil {
			return hashes.File{}, false, err
		}
	}
	// Rule: only now, with every invalidation durable in hashes.pkl and still under
	// the lock, may the file be emptied; in place, for others append to it.
	return f, false, w.truncateInvalid()
}
