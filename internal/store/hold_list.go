package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// listing is a partition as it was seen, sorted by name at every level. What it
// calls foreign is never removed, and so keeps the directories above it.
type listing struct {
	suffixes []suffixDir
	temps    []seen   // of writers of hashes.pkl that have died
	invalid  seen     // hashes.invalid; without a name there is none
	foreign  []string // names in the partition itself
}

type suffixDir struct {
	name    string
	hashes  []hashDir
	foreign []string
}

type hashDir struct {
	name    string
	files   []seen   // of the object: those of messages.Files
	temps   []seen   // of rsync
	foreign []string // whatever else
	stay    []string // of files: what a removal leaves; see remover.choose
}

// seen is a regular file as it was when its directory was read.
type seen struct {
	name string
	info Info
}

// is tells whether i describes the very same file, unchanged.
func (f seen) is(i Info) bool {
	return f.info.same(i) && f.info.Mode == i.Mode && f.info.Size == i.Size && f.info.ModTime.Equal(i.ModTime)
}

func (l *listing) manifest() messages.Manifest {
	m := messages.Manifest{Files: messages.Files{}}
	for _, s := range l.suffixes {
		m.Suffixes = append(m.Suffixes, s.name)
		for _, o := range s.hashes {
			for _, f := range o.files {
				m.Files[o.name] = append(m.Files[o.name], f.name)
			}
		}
	}
	return m
}

// handoffReader lists one partition.
type handoffReader struct {
	*partition
	dev   uint64   // the file system that all of it must be on
	names []string // of a hash directory
}

// listHandoff lists a partition to the last file. What vanishes meanwhile is not
// in it; any other error is an error, and never an empty directory.
func (w *partition) listHandoff(ctx context.Context) (*listing, error) {
	i, err := w.fs.Stat(w.dir, "", false)
	if err != nil {
		return nil, fmt.Errorf("list partition: %w", err)
	}
	names, err := w.fs.ReadDir(w.dir, "", nil)
	if err != nil {
		return nil, fmt.Errorf("list partition: %w", err)
	}
	slices.Sort(names)
	r := handoffReader{partition: w, dev: i.Dev}
	l := &listing{}
	for _, name := range names {
		if hashes.ValidSuffix(name) {
			err = r.suffix(ctx, l, name)
		} else {
			err = r.service(l, name)
		}
		if err != nil {
			return nil, fmt.Errorf("list partition: %w", err)
		}
	}
	return l, nil
}

// service sorts a name in the partition that is no suffix.
func (r *handoffReader) service(l *listing, name string) error {
	own := name == hashFile || name == lockFile || name == handoffLock
	if !own && name != invalidFile && !isPickleTemp(name) {
		l.foreign = append(l.foreign, name)
		return nil
	}
	i, err := r.fs.Stat(r.dir, name, false)
	switch {
	case is(err, unix.ENOENT):
		return nil
	case err != nil:
		return err
	case !i.IsRegular():
		l.foreign = append(l.foreign, name)
	case name == invalidFile:
		l.invalid = seen{name, i}
	case !own:
		l.temps = append(l.temps, seen{name, i})
	}
	return nil
}

// isPickleTemp tells whether Swift writes hashes.pkl under this name first: that
// of Python's mkstemp, six random characters in Python 2 and eight in Python 3.
// Swift: common/utils write_pickle.
func isPickleTemp(name string) bool {
	random, ok := strings.CutPrefix(name, "tmp")
	random, temp := strings.CutSuffix(random, ".tmp")
	if !ok || !temp || len(random) != 6 && len(random) != 8 {
		return false
	}
	for _, c := range []byte(random) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

func (r *handoffReader) suffix(ctx context.Context, l *listing, name string) error {
	d, err := r.fs.OpenDir(r.dir, name, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	if is(err, unix.ENOTDIR, unix.ELOOP) {
		l.foreign = append(l.foreign, name)
		return nil
	}
	if err != nil {
		return err
	}
	defer r.fs.CloseDir(d)
	if err := r.here(d); err != nil {
		return err
	}
	entries, err := r.fs.ReadDir(d, "", nil)
	if is(err, unix.ENOENT) {
		return nil // removed since it was opened
	}
	if err != nil {
		return err
	}
	slices.Sort(entries)
	s := suffixDir{name: name}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !validHash(entry, name) {
			s.foreign = append(s.foreign, entry)
		} else if err := r.hash(d, &s, entry); err != nil {
			return err
		}
	}
	l.suffixes = append(l.suffixes, s)
	return nil
}

// validHash tells whether a name in a suffix directory is an object's hash.
func validHash(name, suffix string) bool {
	if len(name) != 32 || name[len(name)-len(suffix):] != suffix {
		return false
	}
	for _, c := range []byte(name) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (r *handoffReader) hash(suffix Dir, s *suffixDir, name string) error {
	d, err := r.fs.OpenDir(suffix, name, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	if is(err, unix.ENOTDIR, unix.ELOOP) {
		s.foreign = append(s.foreign, name)
		return nil
	}
	if err != nil {
		return err
	}
	defer r.fs.CloseDir(d)
	if err := r.here(d); err != nil {
		return err
	}
	r.names, err = r.fs.ReadDir(d, "", r.names[:0])
	if is(err, unix.ENOENT) {
		return nil // removed since it was opened
	}
	if err != nil {
		return err
	}
	slices.Sort(r.names)
	o := hashDir{name: name}
	for _, file := range r.names {
		i, err := r.fs.Stat(d, file, false)
		switch {
		case is(err, unix.ENOENT):
		case err != nil:
			return err
		case i.IsRegular() && diskfile.IsRsyncTemp(file):
			o.temps = append(o.temps, seen{file, i})
		case i.IsRegular() && objectFile(file):
			o.files = append(o.files, seen{file, i})
		default:
			o.foreign = append(o.foreign, file)
		}
	}
	s.hashes = append(s.hashes, o)
	return nil
}

// objectFile tells whether a name is that of a file of an object, obsolete or not.
func objectFile(name string) bool {
	i, err := diskfile.ParseName(name)
	return err == nil && (i.Ext == ".data" || i.Ext == ".meta" || i.Ext == ".ts")
}

// here refuses a directory that something is mounted on: it is no part of this
// disk, and nobody has asked for it to be given up.
func (r *handoffReader) here(d Dir) error {
	i, err := r.fs.Stat(d, "", false)
	if err != nil {
		return err
	}
	if i.Dev != r.dev {
		return fmt.Errorf("%s is on another file system than its partition", d.Path)
	}
	return nil
}
