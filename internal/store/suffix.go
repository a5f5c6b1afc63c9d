package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
	"understudy/internal/zoo"
)

// errGone says that a suffix is no directory, or is none any more.
var errGone = errors.New("no such suffix")

// hasher hashes the suffixes of one partition, one after the other. It keeps its
// memory from hash directory to hash directory.
type hasher struct {
	*partition
	entries []string // of the suffix directory
	names   []string // of a hash directory
	set     diskfile.Set
	md5     hash.Hash
	text    []byte
	at      time.Time // when the suffix was begun; ages are counted from it
	living  bool      // the suffix has a hash directory with files
}

func newHasher(w *partition) *hasher { return &hasher{partition: w, md5: md5.New()} }

// suffix cleans a suffix directory up and returns its md5 in hex, or errGone.
// Any other error means that the suffix is there but could not be hashed.
// Swift: obj/diskfile.py _hash_suffix_dir.
func (h *hasher) suffix(ctx context.Context, suffix string) (string, error) {
	d, err := h.fs.OpenDir(h.dir, suffix, false)
	if err == nil {
		defer h.fs.CloseDir(d)
		h.entries, err = h.fs.ReadDir(d, "", h.entries[:0])
	}
	if is(err, unix.ENOENT, unix.ENOTDIR) {
		// A file with the name of a suffix is left alone.
		return "", errGone
	}
	if err != nil {
		return "", fmt.Errorf("list suffix %s: %w", suffix, err)
	}
	slices.Sort(h.entries)
	h.md5.Reset()
	h.at, h.living = h.now(), false
	for _, entry := range h.entries {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := h.hashDir(d, entry); err != nil {
			if err = h.broken(ctx, d, suffix, entry, err); err != nil {
				return "", err
			}
		}
	}
	if !h.living {
		// Rule: an empty suffix directory is no suffix. The kernel refuses any other.
		// (Swift also tries when it has just seen files in there.)
		if err := h.fs.Rmdir(h.dir, suffix); err == nil || is(err, unix.ENOENT) {
			return "", errGone
		}
	}
	var sum [md5.Size]byte
	return hex.EncodeToString(h.md5.Sum(sum[:0])), nil
}

// hashDir cleans one hash directory up and adds what is left to the md5.
// Swift: obj/diskfile.py cleanup_ondisk_files.
func (h *hasher) hashDir(suffix Dir, name string) error {
	var err error
	h.names, err = h.fs.ReadDir(suffix, name, h.names[:0])
	if is(err, unix.ENOENT) {
		return nil // removed since the suffix was listed
	}
	if err != nil {
		return err
	}
	if zoo.Bug("temp-hashed") {
		for i, n := range h.names {
			if diskfile.IsRsyncTemp(n) {
				h.names[i] = n[1 : len(n)-len(".XXXXXX")]
			}
		}
	}
	h.set.Read(h.names, h.at, h.reclaimAge)
	if len(h.set.Remove) > 0 || h.set.Reclaim != "" {
		if err := h.clean(suffix, name); err != nil {
			return err
		}
	}
	for _, unexpected := range h.set.Unexpected {
		h.unexpected(suffix.Child(name)+"/"+unexpected, unexpected)
	}
	if h.set.Left == 0 {
		// Rule: a hash directory without files is no object. A file that has arrived
		// meanwhile keeps the directory, and its writer invalidates the suffix.
		if err := h.fs.Rmdir(suffix, name); err != nil && !is(err, unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST) {
			h.debug().Err(err).Msg("Error cleaning up empty hash directory " + suffix.Child(name))
		}
		return nil
	}
	h.living = true
	h.text = h.set.AppendHashText(h.text[:0])
	h.md5.Write(h.text) // never fails
	return nil
}

// clean unlinks what the names in a hash directory say is dead. The directory is
// listed again through the descriptor that the files are then unlinked from: if
// it has been quarantined or replaced since, nothing in its successor, which may
// hold the same name as the only copy, is touched.
//
// A file that could not be unlinked counts as gone, as in Swift, so that nodes
// agree on the hash whatever their disks do.
func (h *hasher) clean(suffix Dir, name string) error {
	d, err := h.fs.OpenDir(suffix, name, false)
	if err == nil {
		defer h.fs.CloseDir(d)
		h.names, err = h.fs.ReadDir(d, "", h.names[:0])
	}
	if is(err, unix.ENOENT) {
		h.names, err = h.names[:0], nil
	}
	if err != nil {
		return err
	}
	h.set.Read(h.names, h.at, h.reclaimAge)
	buried := true
	for _, dead := range h.set.Remove {
		// Rule: obsolete by a newer file in the same listing, or metadata without data
		// that has reached the reclaim age.
		if err := h.fs.Remove(d, dead); err != nil && !is(err, unix.ENOENT) {
			h.debug().Err(err).Msg("obsolete file not removed")
			buried = false
		}
	}
	// Rule: a tombstone older than the reclaim age goes, but only after what it
	// buries. Unlike Swift, which unlinks it first and ignores errors: a deleted
	// object whose data survives its tombstone is back.
	if h.set.Reclaim != "" && (buried || zoo.Bug("tombstone-first")) {
		if err := h.fs.Remove(d, h.set.Reclaim); err != nil && !is(err, unix.ENOENT) {
			h.debug().Err(err).Msg("tombstone not removed")
		}
	}
	return nil
}

// unexpected reports a name that belongs to no object. It is never touched.
func (h *hasher) unexpected(path, name string) {
	if diskfile.IsRsyncTemp(name) {
		swiftsWords(h.debug()).Msg("Rsync tempfile: " + path)
		return
	}
	_, err := diskfile.ParseName(name)
	swiftsWords(h.warn()).Msgf("Unexpected file %s: %v", path, err)
}

// broken deals with an entry of a suffix that could not be listed. What is no
// directory goes to the quarantine (unlike Swift a symbolic link, too, wherever it
// leads: cleaning up behind it could be on another disk); so does a directory that is itself damaged, or
// else its whole suffix. Any other error says nothing about the entry: it is
// returned, and nothing is moved. Swift: obj/diskfile.py _hash_suffix_dir.
func (h *hasher) broken(ctx context.Context, d Dir, suffix, entry string, cause error) error {
	path, why := d.Child(entry), "it is not a directory"
	switch {
	case is(cause, unix.ENOTDIR):
		// Rule: no directory, also at this moment: a writer may have made one since.
		i, err := h.fs.Stat(d, entry, false)
		if is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("hash suffix %s: %w", suffix, err)
		}
		if i.IsDir() {
			return fmt.Errorf("hash suffix %s: %s changed while it was listed", suffix, path)
		}
	case unlistable(cause):
		why = "it could not be listed"
	default:
		return fmt.Errorf("hash suffix %s: %w", suffix, cause)
	}
	if err := h.invalidate(ctx, []string{suffix}); err != nil {
		return fmt.Errorf("hash suffix %s: %w", suffix, err)
	}
	to, err := h.quarantine(d, entry)
	if err == nil {
		swiftsWords(h.error()).Err(cause).Msgf("Quarantined %s to %s because %s", path, to, why)
		return nil
	}
	if !unlistable(cause) {
		return fmt.Errorf("hash suffix %s: %w", suffix, err)
	}
	// Rule: bad sectors can make the suffix directory itself unwritable. It goes as
	// a whole, and with it the rest of this listing: the descriptor now leads there.
	to, err = h.quarantine(h.dir, suffix)
	if err != nil {
		return fmt.Errorf("hash suffix %s: %w", suffix, err)
	}
	swiftsWords(h.error()).Err(cause).Msgf("Quarantined %s to %s because %s", d.Path, to, why)
	return errGone
}
