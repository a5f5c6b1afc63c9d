package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/metadata"
	"understudy/internal/zoo"
)

// linkAttempts is how often a directory is made again that others, who found it
// empty, have removed. Swift: common/utils.py link_fd_to_path.
const linkAttempts = 3

// publish gives the draft its metadata and its name, and makes both durable. Then it
// removes what the file has overtaken. After an error the file may have its name or
// not, but then it is whole. Swift: obj/diskfile.py _finalize_put.
func (d *Draft) publish(ctx context.Context, name string, m metadata.Metadata) error {
	in, suffix := d.in, d.hash[29:]
	fail := func(err error) error { return explained(fmt.Errorf("write %s of %s: %w", name, d.hash, err)) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if err := d.describe(m); err != nil {
		return fail(err)
	}
	// A failed fsync is final: the kernel has forgotten what it could not write.
	err := d.file.Sync()
	if err != nil && zoo.Bug("retry-fsync") {
		err = d.file.Sync()
	}
	if err != nil {
		return fail(err)
	}
	d.forget(0, d.size)
	if err := in.mark(ctx, suffix); err != nil {
		return fail(err)
	}
	at, err := d.place(name)
	if err != nil {
		return fail(err)
	}
	defer at.close(in.fs)
	d.made = [2]bool{}
	if err := in.settle(at); err != nil {
		return fail(err)
	}
	// Unlike Swift: marked again. Who has hashed the suffix since the first mark has
	// taken that away, and may have listed the directory before the file came.
	if zoo.Bug("marked-once") {
		return nil
	}
	if err := in.mark(ctx, suffix); err != nil {
		return fail(err)
	}
	in.overtaken(ctx, at)
	return nil
}

// mark notes that a suffix has to be hashed again.
func (in *Incoming) mark(ctx context.Context, suffix string) error {
	in.unsynced = true
	return in.invalidate(ctx, []string{suffix})
}

// place links the file into its directory.
func (d *Draft) place(name string) (*hashPlace, error) {
	in := d.in
	for range linkAttempts {
		at, err := in.enter(d.hash)
		if err != nil {
			return nil, err
		}
		if err = d.link(at.hash, name); err == nil {
			var found bool
			if found, err = in.reachable(at); found {
				return at, nil
			}
		}
		at.close(in.fs)
		if err != nil && !is(err, unix.ENOENT) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("directory removed %d times: %w", linkAttempts, unix.ENOENT)
}

// link gives the file its name in an open directory.
func (d *Draft) link(at Dir, name string) error {
	fs := d.in.fs
	err := d.file.LinkInto(at, name)
	if !is(err, unix.EEXIST) {
		return err
	}
	// Rule: what has the name is the same version of the object, come by another way
	// since we looked, or found unreadable then. Ours is whole, and durable.
	// Unlike Swift: it is replaced in one step. Unlinked first, it would be lost by a
	// crash before the second, though its writer may have been told that it is there.
	tmp := "." + name + "." + d.in.uuid()[:6] // as rsync names what is not to be hashed
	if err := d.file.LinkInto(at, tmp); err != nil {
		return err
	}
	if err := fs.Rename(at, tmp, at, name); err != nil {
		return errors.Join(err, fs.Remove(at, tmp))
	}
	return nil
}

// overtaken removes what the newest files make obsolete. Errors are for the next
// reader, who tries again. Swift: obj/diskfile.py cleanup_ondisk_files.
func (in *Incoming) overtaken(ctx context.Context, at *hashPlace) {
	in.at = in.now()
	if _, _, err := in.entry(at.suffix, at.name); err != nil {
		if err = in.broken(ctx, at.suffix, at.name[29:], at.name, err); err != nil {
			swiftsWords(in.error()).Err(err).Msg("Problem cleaning up " + at.hash.Path)
		}
	}
}
