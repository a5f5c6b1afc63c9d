package store

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// hashedIn is how long the hashing of a partition may take from its first look at a
// directory to the writing of hashes.pkl. What has changed in this time before that may
// have been overlooked.
const hashedIn = time.Minute

// vouch makes sure that an object which is told to be held will be found, also after a
// power cut: the sender may give its own copy up for it. Its writer may have died
// between the link and the fsyncs that follow, or have been an rsync, which does none;
// and the mark of its suffix may be lost, so that hashes.pkl would not tell of it for
// ever. All of that is settled for what is younger than hashes.pkl, whose writing has
// made durable what was before it.
//
// Unlike Swift: which takes what it sees for held.
func (in *Incoming) vouch(ctx context.Context, hash string) error {
	fail := func(err error) error { return fmt.Errorf("vouch for object %s: %w", hash, err) }
	p := &hashPlace{name: hash}
	var err error
	if p.suffix, err = in.fs.OpenDir(in.dir, hash[29:], false); err != nil {
		return fail(err)
	}
	if p.hash, err = in.fs.OpenDir(p.suffix, hash, false); err != nil {
		in.fs.CloseDir(p.suffix)
		return fail(err)
	}
	defer p.close(in.fs)
	if young, err := in.young(p.hash); err != nil || !young {
		if err != nil {
			err = fail(err)
		}
		return err
	}
	if err := in.syncFiles(p.hash); err != nil {
		return fail(err)
	}
	if err := in.settle(p); err != nil {
		return fail(err)
	}
	if suffix := hash[29:]; !in.vouched[suffix] {
		if err := in.mark(ctx, suffix); err != nil {
			return fail(err)
		}
		in.vouched[suffix] = true
	}
	return nil
}

// young tells whether a hash directory has changed since hashes.pkl was written, as far
// as that can be said.
func (in *Incoming) young(d Dir) (bool, error) {
	if in.written == nil {
		i, err := in.fs.Stat(in.dir, hashFile, false)
		if err != nil && !is(err, unix.ENOENT) {
			return false, err
		}
		in.written = &i.ModTime // without a file: long ago
	}
	i, err := in.fs.Stat(d, "", false)
	return err == nil && !i.ChangeTime.Before(in.written.Add(-hashedIn)), err
}

// syncFiles makes the files of a hash directory durable.
func (in *Incoming) syncFiles(d Dir) error {
	names, err := in.fs.ReadDir(d, "", nil)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !objectFile(name) {
			continue
		}
		f, err := in.fs.OpenFile(d, name, unix.O_RDONLY, 0)
		if is(err, unix.ENOENT) {
			continue // overtaken
		}
		if err != nil {
			return err
		}
		err = f.Sync()
		f.Close() // nothing was written
		if err != nil {
			return err
		}
	}
	return nil
}
