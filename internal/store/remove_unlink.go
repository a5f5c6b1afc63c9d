package store

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
)

// right is by what right a file of a handoff partition is unlinked.
type right string

const (
	// provenFile: the listing saw it under the replication lock, the caller has
	// proofs of it from enough primaries, and so it is with all files of its object.
	provenFile right = "file of a proven object"
	// debrisFile: the listing saw a file that an rsync or a writer of hashes.pkl has
	// left, it has not changed since, and every object of the partition is gone.
	debrisFile right = "temporary file"
	// cacheFile: hashes.pkl and hashes.invalid tell of files that are gone, or they
	// can be made again. They are changed under the .lock.
	cacheFile right = "cached hashes"
	// ownLock: a lock file that this very hold has locked, of a partition in which
	// nothing else is left.
	ownLock right = "own lock"
)

// unlink is the one way in which a file of a handoff partition goes. The file was
// seen before, by the listing or under the .lock, and must still be the same one.
// It tells whether it was there.
//
// A file that takes its name between the look and the unlink is lost. For an object
// file that would be the same version of the same object, which is proven.
func (r *remover) unlink(at Dir, f seen, by right) (bool, error) {
	i, err := r.fs.Stat(at, f.name, false)
	if err == nil && !f.is(i) {
		return false, kept("%q has been replaced", r.rel(at.Child(f.name)))
	}
	if err == nil {
		err = r.fs.Remove(at, f.name)
	}
	if is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remove %s: %w", by, err)
	}
	return true, nil
}

// rmdir removes a directory that the listing saw, if it is empty. False: it is
// not, and stays.
func (r *remover) rmdir(at Dir, name string) (bool, error) {
	err := r.fs.Rmdir(at, name)
	if is(err, unix.ENOTEMPTY, unix.EEXIST) {
		return false, nil
	}
	if is(err, unix.ENOENT) {
		err = nil
	}
	return err == nil, err
}

// oldestFirst orders the files of an object for removal. After any of them what
// is left is the newer part, so nothing comes back to life: data goes before the
// tombstone or the newer data that has made it obsolete, and before newer metadata,
// without which it would have its old metadata again. At equal times a tombstone
// and metadata are after the data that they cover.
func oldestFirst(files []seen) []seen {
	if len(files) < 2 {
		return files
	}
	type dated struct {
		seen
		of diskfile.Info
	}
	all := make([]dated, 0, len(files))
	for _, f := range files {
		of, _ := diskfile.ParseName(f.name) // it was an object file when it was listed
		all = append(all, dated{f, of})
	}
	slices.SortFunc(all, func(a, b dated) int {
		if c := a.of.Time.Compare(b.of.Time); c != 0 {
			return c
		}
		return strings.Compare(a.of.Ext, b.of.Ext) // .data, .meta, .ts
	})
	sorted := make([]seen, 0, len(files))
	for _, f := range all {
		sorted = append(sorted, f.seen)
	}
	return sorted
}

// last removes what is left of a partition without objects: first its hashes, for
// they are wrong as soon as a suffix is gone; the locks only when nothing else is
// there. As with Swift's rmtree, who waits for a lock meanwhile gets that of a file
// without a name.
func (r *remover) last(objects Dir) error {
	if err := r.dropCache(hashFile); err != nil {
		return err
	}
	for i := range r.present.suffixes {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.debris(&r.present.suffixes[i]); err != nil {
			return err
		}
	}
	for _, f := range r.present.temps {
		if _, err := r.unlink(r.dir, f, debrisFile); err != nil {
			return err
		}
	}
	if err := r.dropCache(invalidFile); err != nil {
		return err
	}
	if err := r.locks(); err != nil {
		return err
	}
	empty, err := r.rmdir(objects, partitionName(r.place))
	if err == nil && !empty {
		err = kept("something has arrived in it")
	}
	r.result.Whole = err == nil
	return err
}

// dropCache unlinks hashes.pkl or hashes.invalid.
func (r *remover) dropCache(name string) error {
	i, err := r.fs.Stat(r.dir, name, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if !i.IsRegular() {
		return kept("%s is no file", name)
	}
	_, err = r.unlink(r.dir, seen{name, i}, cacheFile)
	return err
}

// debris removes what rsync has left in a suffix, and the directories, which are
// empty then.
func (r *remover) debris(s *suffixDir) error {
	d, err := r.fs.OpenDir(r.dir, s.name, false)
	if is(err, unix.ENOENT) {
		return nil // gone with its last object
	}
	if err != nil {
		return err
	}
	defer r.fs.CloseDir(d)
	for _, o := range s.hashes {
		if err := r.temps(d, o); err != nil {
			return err
		}
		if empty, err := r.rmdir(d, o.name); err != nil {
			return err
		} else if !empty {
			return kept("something has arrived in %s", r.rel(d.Child(o.name)))
		}
	}
	empty, err := r.rmdir(r.dir, s.name)
	if err == nil && !empty {
		err = kept("something has arrived in %s", s.name)
	}
	return err
}

func (r *remover) temps(suffix Dir, o hashDir) error {
	if len(o.temps) == 0 {
		return nil
	}
	d, err := r.fs.OpenDir(suffix, o.name, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.fs.CloseDir(d)
	for _, f := range o.temps {
		if _, err := r.unlink(d, f, debrisFile); err != nil {
			return err
		}
	}
	return nil
}

// locks unlinks the two lock files, if they are all that is left and ours.
func (r *remover) locks() error {
	var err error
	if r.names, err = r.fs.ReadDir(r.dir, "", r.names[:0]); err != nil {
		return err
	}
	own := map[string]*Lock{lockFile: r.self, handoffLock: r.hold.lock}
	if r.hold.onDir {
		own[handoffLock] = nil
	}
	for _, name := range r.names {
		if own[name] == nil {
			return kept("%q has arrived", name)
		}
	}
	for _, name := range []string{lockFile, handoffLock} {
		if own[name] == nil {
			continue
		}
		i, err := own[name].file.Stat()
		if err != nil {
			return err
		}
		if _, err := r.unlink(r.dir, seen{name, i}, ownLock); err != nil {
			return err
		}
	}
	return nil
}

// rel is a path within the partition, for reasons.
func (r *remover) rel(path string) string { return strings.TrimPrefix(path, r.dir.Path+"/") }
