package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/policy/pytext"
	"understudy/internal/swift/ssync"
	"understudy/internal/swift/timestamp"
)

// verifyName returns the object's name, which must hash to its directory.
func (h *openHashDir) verifyName(ctx context.Context, file string, m metadata.Metadata) (string, error) {
	name, ok := m.Get("name")
	if !ok {
		return "", h.condemn(ctx, file, "missing name metadata")
	}
	parts := strings.SplitN(name, "/", 4) // "", account, container, object
	if len(parts) == 4 && parts[0] == "" && parts[1] != "" && parts[2] != "" && parts[3] != "" &&
		h.paths.Hex(parts[1], parts[2], parts[3]) == h.hash {
		return name, nil
	}
	return "", h.condemn(ctx, file, "Hash of name in metadata does not match directory name")
}

// verifyBody compares the file with what its metadata says and returns its size.
// Swift: obj/diskfile.py _verify_data_file.
func (h *openHashDir) verifyBody(ctx context.Context, file string, m metadata.Metadata, i Info) (int64, error) {
	if at, ok := m.Get("X-Delete-At"); ok && !pythonInt(at) {
		return 0, h.condemn(ctx, file, "bad metadata x-delete-at value "+at)
	}
	text, ok := m.Get("Content-Length")
	if !ok {
		return 0, h.condemn(ctx, file, "missing content-length in metadata")
	}
	if !pythonInt(text) {
		return 0, h.condemn(ctx, file, "bad metadata content-length value "+text)
	}
	if size, err := pytext.Int(text); err != nil || size != i.Size {
		return 0, h.condemn(ctx, file, fmt.Sprintf("metadata content-length %s does not match actual object size %d", text, i.Size))
	}
	return i.Size, nil
}

// pythonInt tells whether Python reads a number from a text, however large.
func pythonInt(s string) bool {
	s = strings.TrimSpace(s)
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	_, err := pytext.Int(s)
	return err == nil || len(s) > 18 && strings.Trim(s, "0123456789") == ""
}

// verifyTime compares the times in a file's name and in its metadata.
func (h *openHashDir) verifyTime(info *diskfile.Info, m metadata.Metadata) error {
	text, _ := m.Get("X-Timestamp")
	if t, err := timestamp.Parse(text); err != nil || t != info.Time {
		return fmt.Errorf("open %s: its metadata says X-Timestamp %.60q", h.dir.Child(info.Name), text)
	}
	if !info.HasCType {
		return nil
	}
	text, _ = m.Get(contentTypeTime)
	// A name keeps no offset of a content type's time.
	if t, err := timestamp.Parse(text); err != nil || t.Raw != info.CType.Raw {
		return fmt.Errorf("open %s: its metadata says %s %.60q", h.dir.Child(info.Name), contentTypeTime, text)
	}
	return nil
}

// condemn moves the hash directory to the quarantine because of one of its files,
// and says so. Swift: obj/diskfile.py _quarantine.
//
// Unlike Swift: only if its names are still those that were judged. A newer version
// that has come meanwhile must not be taken away with the corrupt one.
func (h *openHashDir) condemn(ctx context.Context, file, why string) error {
	path := h.dir.Child(file)
	refused := func(err error) error { return fmt.Errorf("quarantine %s (%s): %w", path, why, err) }
	if h.spared {
		return refused(errors.New("a tombstone lies beside it"))
	}
	// Rule: the suffix is hashed again before anything is moved, as every reader of
	// its hash must be able to see the change.
	if err := h.invalidate(ctx, []string{h.hash[29:]}); err != nil {
		return refused(err)
	}
	// Rule: the directory that is moved by its name is the one that was read, and
	// holds no other names.
	names, err := h.fs.ReadDir(h.suffix, h.hash, nil)
	if err != nil {
		return refused(gone(err))
	}
	slices.Sort(names)
	open, err := h.fs.Stat(h.dir, "", false)
	if err != nil {
		return refused(err)
	}
	named, err := h.fs.Stat(h.suffix, h.hash, false)
	if err != nil {
		return refused(gone(err))
	}
	if !open.same(named) || !slices.Equal(names, h.listed) {
		return refused(errors.New("it changed while it was read"))
	}
	if _, err := h.quarantine(h.suffix, h.hash); err != nil {
		return refused(gone(err))
	}
	swiftsWords(h.warn()).Msgf("Quarantined object %s: %s", path, why)
	return &QuarantinedError{Path: path, Why: why}
}

// Verify reads the whole body of an object and compares it with the md5 that was
// taken at its upload. A body that is another is quarantined (*QuarantinedError);
// one that cannot be read is an error and stays.
// Swift: obj/diskfile.py _handle_close_quarantine.
//
// Unlike Swift: EIO says that the disk is ill, not that the object is corrupt.
func (o *Objects) Verify(ctx context.Context, hash string) error {
	h, err := o.reach(ctx, hash)
	if err != nil {
		return err
	}
	defer h.close()
	object, err := h.open(ctx)
	if err != nil || object.Deleted {
		return err
	}
	defer object.Close()
	got, read, err := bodySum(ctx, object)
	switch {
	case err != nil:
		return fmt.Errorf("verify %s: %w", h.dir.Child(object.Files[0]), err)
	case read != object.Size:
		return h.condemn(ctx, object.Files[0], fmt.Sprintf("Bytes read: %d, does not match metadata: %d", read, object.Size))
	case got != object.ETag:
		return h.condemn(ctx, object.Files[0], fmt.Sprintf("ETag %s and file's md5 %s do not match", object.ETag, got))
	}
	return nil
}

func bodySum(ctx context.Context, object *ssync.Object) (sum string, read int64, err error) {
	digest := md5.New()
	buffer := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", read, err
		}
		n, err := object.Body.ReadAt(buffer, read)
		digest.Write(buffer[:n])
		read += int64(n)
		if err == io.EOF {
			return hex.EncodeToString(digest.Sum(nil)), read, nil
		}
		if err != nil {
			return "", read, err
		}
	}
}

// ObjectFile is a File whose extended attributes can be read, as those of objects
// must be.
type ObjectFile interface {
	File
	// Attribute reads an extended attribute like fgetxattr(2).
	Attribute(name string, into []byte) (int, error)
}

// Attribute reads an extended attribute.
func (f *osFile) Attribute(name string, into []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Fgetxattr(f.fd, name, into); return err })
	if err != nil {
		return 0, fault("getxattr", f.path, err)
	}
	return n, nil
}

// Descriptor is the file's own, good until Close.
func (f *osFile) Descriptor() int { return f.fd }

// objectBody is an open data file.
type objectBody struct {
	File
	size int64
}

// dropAbove is the size from which on a body that was read is not kept in memory:
// nobody asked for it but another node. Swift: obj/diskfile.py _drop_cache.
const dropAbove = 1 << 20

// Descriptor is for sendfile(2). Files of a file system that is not the real one
// have none.
func (b *objectBody) Descriptor() (int, bool) {
	f, ok := b.File.(interface{ Descriptor() int })
	if !ok {
		return -1, false
	}
	return f.Descriptor(), true
}

func (b *objectBody) Close() error {
	if fd, ok := b.Descriptor(); ok && b.size >= dropAbove {
		_ = unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) // advice only
	}
	return b.File.Close()
}
