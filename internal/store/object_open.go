package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/ssync"
	"understudy/internal/swift/timestamp"
)

// Open opens an object: its data file, or its tombstone, with the metadata of
// POSTs merged as Swift merges it. Close the object when done. An object that is
// corrupt is quarantined (*QuarantinedError). Errors: ErrNoObject, or what keeps
// the object from being read now; then nothing was moved. Expired objects are
// opened like others. Swift: obj/diskfile.py DiskFile.open, get_diskfile_from_hash.
//
// Unlike Swift: names that are no file of the object are never read. Swift reads
// the object's name from the last name of the listing, which can be an rsync
// temporary file. And what carries another time in its metadata than in its name
// is not opened: the receiver would be told of one version and given another.
func (o *Objects) Open(ctx context.Context, hash string) (*ssync.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h, err := o.reach(ctx, hash)
	if err != nil {
		return nil, err
	}
	defer h.close()
	return h.open(ctx)
}

func (h *openHashDir) open(ctx context.Context) (*ssync.Object, error) {
	object := &ssync.Object{Entry: h.entryOf(h.hash)}
	if len(object.Files) == 0 {
		return nil, fmt.Errorf("open %s: %w", h.dir.Path, ErrNoObject)
	}
	var err error
	switch {
	case h.set.Data != nil:
		err = h.openData(ctx, object)
	case h.set.TS != nil:
		err = h.openTombstone(ctx, object)
	}
	if waiting := h.set.Waiting(); err == nil && h.held && len(waiting) > 0 {
		err = h.openWaiting(ctx, object, waiting[0], waiting[len(waiting)-1])
	}
	if err != nil {
		return nil, errors.Join(err, object.Close())
	}
	return object, nil
}

// openHashDir is an open hash directory, with its names as they were listed and what
// they amount to in its Objects' set.
type openHashDir struct {
	*Objects
	hash   string
	suffix Dir
	dir    Dir
	listed []string // sorted
	spared bool     // nothing of it goes to the quarantine
}

// reach opens an object's hash directory and lists it. A directory that is none,
// or that is damaged itself, goes to the quarantine.
func (o *Objects) reach(ctx context.Context, hash string) (*openHashDir, error) {
	if !ssync.ValidHash(hash) {
		return nil, fmt.Errorf("open object: %.40q is no hash", hash)
	}
	h := &openHashDir{Objects: o, hash: hash}
	var err error
	if h.suffix, err = o.fs.OpenDir(o.hasher.dir, hash[29:], false); err != nil {
		return nil, gone(err)
	}
	if h.dir, err = o.fs.OpenDir(h.suffix, hash, false); err == nil {
		if o.names, err = o.fs.ReadDir(h.dir, "", o.names[:0]); err == nil {
			slices.Sort(o.names)
			h.listed = slices.Clone(o.names)
			o.at = o.now()
			o.set.Read(o.names, o.at, o.reclaimAge)
			return h, nil
		}
		o.fs.CloseDir(h.dir)
	}
	defer o.fs.CloseDir(h.suffix)
	if is(err, unix.ENOENT) {
		return nil, gone(err)
	}
	path := h.suffix.Child(hash)
	if brokenErr := o.broken(ctx, h.suffix, hash[29:], hash, err); brokenErr != nil && !errors.Is(brokenErr, errGone) {
		return nil, fmt.Errorf("open %s: %w", path, brokenErr)
	}
	return nil, &QuarantinedError{Path: path, Why: err.Error()}
}

func (h *openHashDir) close() {
	h.fs.CloseDir(h.dir)
	h.fs.CloseDir(h.suffix)
}

// gone turns ENOENT into ErrNoObject.
func gone(err error) error {
	if is(err, unix.ENOENT) {
		return fmt.Errorf("%w: %w", ErrNoObject, err)
	}
	return err
}

// openFile opens one of the object's files, which must be a regular one.
func (h *openHashDir) openFile(ctx context.Context, name string) (File, Info, error) {
	f, err := h.fs.OpenFile(h.dir, name, unix.O_RDONLY, 0)
	if is(err, unix.ENODATA) {
		// Bad sectors. Swift: DiskFile.open.
		return nil, Info{}, h.condemn(ctx, name, fmt.Sprintf("Failed to open %s: %v", h.dir.Child(name), err))
	}
	if err != nil {
		return nil, Info{}, gone(err)
	}
	i, err := f.Stat()
	if err == nil && !i.IsRegular() {
		err = fmt.Errorf("open %s: not a regular file", h.dir.Child(name))
	}
	if err != nil {
		return nil, Info{}, errors.Join(err, f.Close())
	}
	return f, i, nil
}

// read reads the metadata of an open file. What is missing or corrupt condemns the
// object; what cannot be read does not.
func (h *openHashDir) read(ctx context.Context, f File, name string) (metadata.Metadata, error) {
	m, err := readMetadata(f)
	if errors.Is(err, metadata.ErrMissing) || errors.Is(err, metadata.ErrCorrupt) {
		return nil, h.condemn(ctx, name, "Exception reading metadata: "+err.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", h.dir.Child(name), err)
	}
	return m, nil
}

func (h *openHashDir) openTombstone(ctx context.Context, object *ssync.Object) error {
	name := h.set.TS.Name
	f, _, err := h.openFile(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := h.read(ctx, f, name)
	if err != nil {
		return err
	}
	object.Deleted, object.DataMeta = true, m
	if object.Name, err = h.verifyName(ctx, name, m); err != nil {
		return err
	}
	return h.verifyTime(h.set.TS, m)
}

// openData opens the data file and reads all metadata. The body is part of the
// object as soon as it is open, also when there is an error.
func (h *openHashDir) openData(ctx context.Context, object *ssync.Object) error {
	data := h.set.Data
	f, i, err := h.openFile(ctx, data.Name)
	if err != nil {
		return err
	}
	object.Body = &objectBody{File: f, size: i.Size}
	if object.DataMeta, err = h.read(ctx, f, data.Name); err != nil {
		return err
	}
	if object.Name, err = h.verifyName(ctx, data.Name, object.DataMeta); err != nil {
		return err
	}
	if object.Size, err = h.verifyBody(ctx, data.Name, object.DataMeta, i); err != nil {
		return err
	}
	if err := h.verifyTime(data, object.DataMeta); err != nil {
		return err
	}
	var ok bool
	if object.ETag, ok = object.DataMeta.Get("ETag"); !ok {
		return fmt.Errorf("open %s: no ETag in its metadata", h.dir.Child(data.Name))
	}
	if h.set.Meta == nil {
		return nil
	}
	return h.openMeta(ctx, object, h.set.Meta, h.set.CType)
}

// openWaiting reads metadata that has no data. Where that cannot be done, a tombstone
// beside it goes to the peers all the same, and never to the quarantine: it may be the
// only one. That the object is not what was offered then keeps the handoff.
func (h *openHashDir) openWaiting(ctx context.Context, object *ssync.Object, newest, ctype *diskfile.Info) error {
	object.Deleted = true
	h.spared = object.Bases() == 1
	err := h.openMeta(ctx, object, newest, ctype)
	if err == nil || !h.spared || ctx.Err() != nil {
		return err
	}
	h.warn().Err(err).Msg("metadata newer than a tombstone not read")
	object.Files, object.PostMeta = object.Files[:1], nil
	object.Meta, object.CType = timestamp.Timestamp{}, timestamp.Timestamp{}
	return nil
}

// openMeta reads the newest metadata of POSTs, and the newest content type when
// that is in another file. Swift: obj/diskfile.py _merge_content_type_metadata.
func (h *openHashDir) openMeta(ctx context.Context, object *ssync.Object, newest, ctype *diskfile.Info) error {
	m, err := h.meta(ctx, newest, object)
	if err != nil {
		return err
	}
	if ctype != nil && ctype.Name != newest.Name {
		second, err := h.meta(ctx, ctype, object)
		if err != nil {
			return err
		}
		m = mergeType(m, second)
	}
	object.PostMeta = m
	return nil
}

func (h *openHashDir) meta(ctx context.Context, info *diskfile.Info, object *ssync.Object) (metadata.Metadata, error) {
	f, _, err := h.openFile(ctx, info.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := h.read(ctx, f, info.Name)
	if err != nil {
		return nil, err
	}
	if object.Name == "" { // there is no other file to tell it
		if object.Name, err = h.verifyName(ctx, info.Name, m); err != nil {
			return nil, err
		}
	}
	if name, ok := m.Get("name"); ok && name != object.Name {
		// Swift: DiskFileCollision; nothing is moved.
		return nil, fmt.Errorf("open %s: Client path does not match path stored in object metadata: %.200q, not %.200q",
			h.dir.Child(info.Name), name, object.Name)
	}
	return m, h.verifyTime(info, m)
}

const (
	contentType     = "Content-Type"
	contentTypeTime = "Content-Type-Timestamp"
)

// mergeType puts the content type of second into m if it is newer. That it is
// newer than the data's is known from the names.
func mergeType(m, second metadata.Metadata) metadata.Metadata {
	ctype, ok := second.Get(contentType)
	at, _ := second.Get(contentTypeTime)
	mine, _ := m.Get(contentTypeTime)
	if !ok || at <= mine {
		return m
	}
	m = slices.DeleteFunc(m, func(p metadata.Pair) bool {
		return strings.EqualFold(p.Name, contentType) || strings.EqualFold(p.Name, contentTypeTime)
	})
	return append(m, metadata.Pair{Name: contentType, Value: ctype}, metadata.Pair{Name: contentTypeTime, Value: at})
}
