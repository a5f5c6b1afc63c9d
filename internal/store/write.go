package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/metadata"
)

// ErrNoSpace says that a disk has no room, or keeps what it has in reserve. Swift
// answers 507 then.
var ErrNoSpace = errors.New("no space on the device")

// Draft is a file of an object that is being written. It has no name until Publish;
// Discard it in any case.
type Draft struct {
	in     *Incoming
	hash   string // of the object
	file   NewFile
	tmp    Dir    // of a named draft
	name   string // of a named draft, until it is published
	sum    hash.Hash
	size   int64
	synced int64
	made   [2]bool // the suffix and the hash directory were made for it
}

// draft begins a file for an object. size is what will be written, and room for it is
// made; -1 for a tombstone, which needs no leave: deleting must be possible on a disk
// that is full. Swift: obj/diskfile.py BaseDiskFileWriter.open.
func (in *Incoming) draft(ctx context.Context, hash string, size int64) (*Draft, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := in.deviceStands(); err != nil {
		return nil, err
	}
	d := &Draft{in: in, hash: hash, sum: md5.New()}
	err := d.create()
	if err == nil && size >= 0 {
		err = in.reserve(d.file, size)
	}
	if err != nil {
		d.Discard()
		return nil, explained(fmt.Errorf("create file of %s: %w", hash, err))
	}
	return d, nil
}

// explained adds ErrNoSpace to what a disk says.
func explained(err error) error {
	if is(err, unix.ENOSPC, unix.EDQUOT, unix.EOPNOTSUPP) && !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

// deviceStands looks again whether the device is the one that was opened: a disk
// that was unmounted by force must not be told to hold anything.
func (in *Incoming) deviceStands() error {
	want, err := in.check(in.place.Device)
	if err != nil {
		return err
	}
	got, err := in.fs.Stat(in.device, "", false)
	if err != nil {
		return err
	}
	if !got.same(want) {
		return in.unmounted()
	}
	return nil
}

// create opens a file without a name in the object's directory, or a named one in
// the device's tmp where the file system has no such thing.
func (d *Draft) create() error {
	in := d.in
	if !in.noTmpFile {
		at, err := in.enter(d.hash)
		if err != nil {
			return err
		}
		defer at.close(in.fs)
		d.made = at.made
		f, err := in.fs.OpenFile(at.hash, ".", unix.O_TMPFILE|unix.O_WRONLY, 0o777)
		if err == nil {
			return d.take(f)
		}
		// The answers of file systems, and of kernels, that do not know the flag.
		if !is(err, unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL) {
			return err
		}
		in.debug().Err(err).Msg("no files without a name here: drafts are named ones")
		in.noTmpFile = true
	}
	tmp, err := in.makeDir(in.device, in.tmpDir())
	if err != nil {
		return err
	}
	d.tmp = tmp
	name := "tmp" + in.uuid()[:8]
	f, err := in.fs.OpenFile(tmp, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	d.name = name
	return d.take(f)
}

func (d *Draft) take(f File) error {
	file, ok := f.(NewFile)
	if !ok {
		return errors.Join(metadata.ErrNotSupported, f.Close())
	}
	d.file = file
	return nil
}

// reserve makes room for a file, as far as the reserve allows.
// Swift: common/utils.py fallocate; of newer Swift also for files without content.
func (in *Incoming) reserve(f NewFile, size int64) error {
	keep := in.rules.keep()
	if size > 0 && in.rules.NoAllocate {
		return nil
	}
	if keep.Bytes > 0 || keep.Percent > 0 {
		space, err := f.Space()
		if err != nil {
			return err
		}
		free, least := float64(space.Free-size), float64(keep.Bytes)
		if keep.Percent > 0 {
			free, least = free/float64(max(1, space.Total))*100, keep.Percent
		}
		if free < least || size > 0 && free == least {
			return fmt.Errorf("%w: FALLOCATE_RESERVE fail %g <= %g", ErrNoSpace, free, least)
		}
	}
	if size == 0 {
		return nil
	}
	err := f.Allocate(size)
	if is(err, unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL) {
		return nil // the file system cannot
	}
	return err
}

// Write appends to the draft.
func (d *Draft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	d.sum.Write(p[:n])
	d.size += int64(n)
	every := d.in.rules.SyncEvery
	if every <= 0 {
		every = defaultSyncEvery
	}
	if err == nil && d.size-d.synced >= every {
		if err = d.file.SyncData(); err == nil {
			d.forget(d.synced, d.size-d.synced)
			d.synced = d.size
		}
	}
	return n, explained(err)
}

// forget tells the kernel that nobody will read what was written. Advice only.
func (d *Draft) forget(from, size int64) {
	if on, ok := d.file.(interface{ Descriptor() int }); ok && size > 0 {
		_ = unix.Fadvise(on.Descriptor(), from, size, unix.FADV_DONTNEED)
	}
}

// Size is how many bytes have been written.
func (d *Draft) Size() int64 { return d.size }

// ETag is the md5 in hex of what has been written.
func (d *Draft) ETag() string { return hex.EncodeToString(d.sum.Sum(nil)) }

// describe puts metadata into the file's attributes.
// Swift: obj/diskfile.py write_metadata.
func (d *Draft) describe(m metadata.Metadata) error {
	raw := metadata.Encode(m)
	if len(raw) > metadata.MaxSize {
		return metadata.ErrTooBig
	}
	sum := metadata.Checksum(raw)
	for i := 0; len(raw) > 0; i++ {
		name := metadata.Attribute
		if i > 0 {
			name += strconv.Itoa(i)
		}
		n := min(len(raw), metadata.ChunkSize)
		if err := d.file.SetAttribute(name, raw[:n]); err != nil {
			return err
		}
		raw = raw[n:]
	}
	return d.file.SetAttribute(metadata.ChecksumAttribute, []byte(sum))
}

// Discard gives up what was not published, and the directories that were made for
// it. It may be called again, and after Publish.
func (d *Draft) Discard() {
	if d.file != nil {
		d.file.Close() // published files are synced, others nobody will read
		d.file = nil
	}
	fs := d.in.fs
	if d.name != "" {
		if err := fs.Remove(d.tmp, d.name); err != nil && !is(err, unix.ENOENT) {
			d.in.debug().Err(err).Msg("temporary file not removed")
		}
		d.name = ""
	}
	if d.tmp != (Dir{}) {
		fs.CloseDir(d.tmp)
		d.tmp = Dir{}
	}
	d.unmake()
}

// unmake removes the directories that were made for a draft and are empty still.
func (d *Draft) unmake() {
	fs, suffix := d.in.fs, d.hash[29:]
	if d.made[1] {
		if at, err := fs.OpenDir(d.in.dir, suffix, false); err == nil {
			// Rule: empty. The kernel refuses to remove anything else, and a writer whose
			// directory is gone makes it again.
			if err := fs.Rmdir(at, d.hash); err != nil {
				d.made[0] = false
			}
			fs.CloseDir(at)
		}
	}
	if d.made[0] {
		_ = fs.Rmdir(d.in.dir, suffix) // the same rule
	}
	d.made = [2]bool{}
}
