package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/hashes"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/ssync"
	"understudy/messages"
)

// ErrNoObject says that there is no object, or none any more. It is never the
// answer for one that could not be read. fs.ErrNotExist is in its chain.
var ErrNoObject = fmt.Errorf("no such object: %w", fs.ErrNotExist)

// QuarantinedError says that an object was found to be corrupt and that its hash
// directory has been moved away. ErrNoObject is in its chain.
type QuarantinedError struct {
	Path string // of the file that was not what it should be
	Why  string // in Swift's words
}

func (e *QuarantinedError) Error() string { return "quarantined " + e.Path + ": " + e.Why }
func (e *QuarantinedError) Unwrap() error { return ErrNoObject }

// Objects is access to the objects of one partition, for one sync. It keeps the
// partition open; Close gives it back. It is not safe for concurrent use.
type Objects struct {
	*hasher
	paths hashpath.Hasher
	held  bool // by a revert job
}

// OpenObjects opens a partition to read its objects. It checks the device first.
// Errors: *messages.DeviceError, *messages.NotDirectoryError, and ErrNoPartition,
// which has fs.ErrNotExist in its chain.
func (s *Store) OpenObjects(ctx context.Context, p messages.Partition, paths hashpath.Hasher) (*Objects, error) {
	w, err := s.open(ctx, p, false)
	if err != nil {
		return nil, err
	}
	return &Objects{hasher: newHasher(w), paths: paths}, nil
}

// OpenHeld is OpenObjects for a partition that a revert job of ours holds.
//
// Unlike Swift: an empty suffix is not noted in hashes.invalid. Such a note would
// look like an arrival and keep the handoff for another pass, in which there is
// nothing left to do; and who trusts the hash of a suffix that is empty finds that
// it differs from the others', and makes it anew.
func (s *Store) OpenHeld(ctx context.Context, p messages.Partition, paths hashpath.Hasher) (*Objects, error) {
	o, err := s.OpenObjects(ctx, p, paths)
	if err == nil {
		o.held = true
	}
	return o, err
}

// Close gives the partition back.
func (o *Objects) Close() { o.close() }

// Suffixes returns those of some suffixes that exist as directories.
func (o *Objects) Suffixes(ctx context.Context, suffixes []string) (found []string, err error) {
	for _, suffix := range suffixes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !hashes.ValidSuffix(suffix) {
			continue
		}
		switch i, err := o.fs.Stat(o.dir, suffix, false); {
		case err == nil && i.IsDir():
			found = append(found, suffix)
		case err != nil && !is(err, unix.ENOENT):
			return nil, fmt.Errorf("look for suffix %s: %w", suffix, err)
		}
	}
	return found, nil
}

// Each calls f with every object of a suffix that has a data file or a tombstone, or
// in a held partition metadata that waits for either, in no order, after cleaning up its directory; f must not use o. A suffix in which there is no file
// at all is invalidated, for the next rehash to remove it. An error of f ends the
// walk and is returned. An object that could not be listed does not: the others
// are still yielded, and then there is an error. Swift: obj/diskfile.py yield_hashes.
//
// Unlike Swift: a suffix that cannot be listed is an error, not an empty suffix.
// A directory whose name is no object's hash is cleaned up but not yielded.
func (o *Objects) Each(ctx context.Context, suffix string, f func(ssync.Entry) error) error {
	if !hashes.ValidSuffix(suffix) {
		return fmt.Errorf("list objects: %.40q is no suffix", suffix)
	}
	d, err := o.fs.OpenDir(o.dir, suffix, false)
	if err == nil {
		defer o.fs.CloseDir(d)
		o.entries, err = o.fs.ReadDir(d, "", o.entries[:0])
	}
	if is(err, unix.ENOENT, unix.ENOTDIR) {
		return o.empty(ctx, suffix)
	}
	if err != nil {
		return fmt.Errorf("list suffix %s: %w", suffix, err)
	}
	found := false
	var unread error
	o.at = o.now()
	for _, name := range o.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry, left, err := o.entry(d, name)
		if err != nil {
			err = o.broken(ctx, d, suffix, name, err)
			if errors.Is(err, errGone) {
				return errors.Join(unread, fmt.Errorf("list suffix %s: it went to the quarantine", suffix))
			}
			found, unread = true, errors.Join(unread, err)
			continue
		}
		found = found || left
		if len(entry.Files) == 0 || !ssync.ValidHash(name) || name[29:] != suffix {
			continue
		}
		if err := f(entry); err != nil {
			return err
		}
	}
	if !found {
		unread = errors.Join(unread, o.empty(ctx, suffix))
	}
	return unread
}

// empty marks a suffix in which there are no files. A disk that takes no writes
// can still be read: the mark is then for another pass.
func (o *Objects) empty(ctx context.Context, suffix string) error {
	if o.held {
		return nil
	}
	err := o.invalidate(ctx, []string{suffix})
	if unwritable(err) {
		o.warn().Err(err).Str("suffix", suffix).Msg("empty suffix not invalidated")
		return nil
	}
	return err
}

// entry cleans a hash directory up and tells what object it is; the zero Entry
// when it is none. left tells whether there are files in it, whatever they are.
// Swift: obj/diskfile.py cleanup_ondisk_files.
func (o *Objects) entry(suffix Dir, name string) (e ssync.Entry, left bool, err error) {
	o.names, err = o.fs.ReadDir(suffix, name, o.names[:0])
	if is(err, unix.ENOENT) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	o.set.Read(o.names, o.at, o.reclaimAge)
	if len(o.set.Remove) > 0 || o.set.Reclaim != "" {
		if err := o.clean(suffix, name); err != nil {
			return e, false, err
		}
	}
	for _, unexpected := range o.set.Unexpected {
		o.unexpected(suffix.Child(name)+"/"+unexpected, unexpected)
	}
	if o.set.Left == 0 {
		// Rule: as in hashDir: without files it is no object, and the kernel refuses
		// to remove a directory into which one has come meanwhile.
		if err := o.fs.Rmdir(suffix, name); err != nil && !is(err, unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST) {
			o.debug().Err(err).Msg("Error cleaning up empty hash directory " + suffix.Child(name))
		}
		return e, false, nil
	}
	return o.entryOf(name), true, nil
}

// entryOf is the object that the files last listed make, or the zero Entry.
func (o *Objects) entryOf(hash string) ssync.Entry {
	e, set, names := ssync.Entry{Offer: ssync.Offer{Hash: hash}}, &o.set, o.names
	if waiting := set.Waiting(); o.held && len(waiting) > 0 {
		return entryOfWaiting(e, set, waiting)
	}
	switch {
	case set.Data != nil:
		e.Data, e.Files = set.Data.Time, append(e.Files, set.Data.Name)
	case set.TS != nil:
		e.Data, e.Files = set.TS.Time, append(e.Files, set.TS.Name)
	default:
		return ssync.Entry{}
	}
	if set.Meta != nil {
		e.Meta = set.Meta.Time
		e.Files = append(e.Files, set.Meta.Name)
	}
	if set.CType != nil {
		e.CType = set.CType.CType
		if set.CType.Name != set.Meta.Name {
			e.Files = append(e.Files, set.CType.Name)
		}
	}
	if set.Left > len(e.Files)+len(set.Unexpected) {
		e.Files = append(e.Files, silent(set, names, e.Files)...)
	}
	return e
}

// entryOfWaiting is an object with metadata newer than its tombstone, or without one.
//
// Unlike Swift: which offers the tombstone only, or nothing, and so lets an update
// that reached none but this node go with the handoff. Who has data that is older than
// the metadata wants it.
func entryOfWaiting(e ssync.Entry, set *diskfile.Set, metas []*diskfile.Info) ssync.Entry {
	if set.TS != nil {
		e.Data, e.Files = set.TS.Time, append(e.Files, set.TS.Name)
	}
	e.Meta = metas[0].Time
	for _, m := range metas {
		e.Files = append(e.Files, m.Name)
	}
	if ctype := metas[len(metas)-1].CType; ctype.Compare(e.Data) > 0 {
		e.CType = ctype
	}
	return e
}

// silent are the names of metadata files that stay although the object's others
// say all that they say: Swift keeps a second one for its content type even when
// the data file's is newer.
func silent(set *diskfile.Set, names, said []string) (files []string) {
	if set.Meta == nil {
		return nil
	}
	newest := set.Data.Time
	if set.CType != nil {
		newest = set.CType.CType
	}
	for _, name := range names {
		if slices.Contains(said, name) || slices.Contains(set.Remove, name) {
			continue
		}
		i, err := diskfile.ParseName(name)
		if err == nil && i.Ext == set.Meta.Ext && i.Time.Compare(set.Meta.Time) <= 0 && i.CType.Compare(newest) <= 0 {
			files = append(files, name)
		}
	}
	return files
}
