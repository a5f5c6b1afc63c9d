package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
	"understudy/internal/zoo"
	"understudy/messages"
)

// lockSlice is about how long a removal keeps a partition's .lock at a time. A PUT
// that wants to invalidate its suffix waits for it, and gives up after ten seconds.
const lockSlice = time.Second

// remover gives up what it can of one held partition.
type remover struct {
	*partition
	hold    *Handoff
	ctx     context.Context
	waiting messages.Files
	whole   bool     // the partition itself may still go, but for what waits
	waiter  string   // the first file that waits
	present *listing // what of the first listing is still there
	self    *Lock
	invalid seen // hashes.invalid as nobody else may have changed it
	names   []string
	result  messages.Removal
}

// keptError ends a removal that must not go on, though nothing has failed.
type keptError struct{ why string }

func (e *keptError) Error() string { return e.why }

func kept(format string, args ...any) error { return &keptError{fmt.Sprintf(format, args...)} }

// Remove gives up files of the manifest and the directories that are empty then;
// when nothing else is left, also the debris that the listing saw and the partition
// itself. An object of which a file is to stay stays as it is, unless those that are
// to stay are metadata that is waiting for data of others: then the rest goes.
//
// Nothing is removed when the lock was lost, when the partition or its device is
// not where it was, or when anything has arrived or changed since the listing. What
// arrives later than that check is not removed either, and ends the removal: see
// Removal.Kept. It can be called once.
//
// Errors: *messages.DeviceError, *LockTimeoutError, or what the disk says. The
// removal stops at the first; the result tells what was done before it.
//
// Removal is not made durable. File systems with a journal keep the order of
// unlinks, so that a power cut leaves what some earlier instant was, and the next
// revert job finds and proves again what has come back.
//
// Unlike Swift: obj/replicator.py delete_partition, delete_handoff_objs remove
// whole trees, with everything that has arrived in them.
func (h *Handoff) Remove(ctx context.Context, files, waiting messages.Files) (messages.Removal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released || h.spent {
		return messages.Removal{}, errors.New("remove partition: it is not held any more")
	}
	r := &remover{partition: h.place, hold: h, ctx: ctx, waiting: waiting, whole: true, invalid: h.listed.invalid}
	err := h.listed.knownFiles(files)
	if err == nil {
		h.spent = true
		err = r.run(files)
	}
	var reason *keptError
	if errors.As(err, &reason) {
		r.keep(reason.why)
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("remove partition %s: %w", r.dir.Path, err)
	}
	return r.result, err
}

// keep notes why something stays. The first reason is told.
func (r *remover) keep(why string) {
	r.whole = false
	if r.result.Kept == "" {
		r.result.Kept = why
	}
}

// run does it all. What it locks it unlocks, even when it panics.
func (r *remover) run(files messages.Files) error {
	defer r.unlock()
	if err := r.quiet(); err != nil {
		return err
	}
	if zoo.Bug("rmtree-revert") {
		return zoo.RemoveTree(r.dir.Path)
	}
	for todo := r.choose(files); len(todo) > 0; {
		done, err := r.slice(todo)
		if err != nil {
			return err
		}
		todo = todo[done:]
	}
	if r.waiter != "" {
		r.result.Waits = r.whole
		r.keep(r.waiter + " waits for its data")
	}
	if !r.whole {
		return nil
	}
	objects, err := r.begin()
	if err != nil {
		return err
	}
	defer r.end(objects)
	return r.last(objects)
}

// slice removes the objects of some suffixes, at least one, under the .lock.
func (r *remover) slice(todo []suffixDir) (done int, err error) {
	objects, err := r.begin()
	if err != nil {
		return 0, err
	}
	defer r.end(objects)
	if err := r.mark(todo); err != nil {
		return 0, err
	}
	for start := r.now(); done < len(todo) && (done == 0 || r.now().Sub(start) < lockSlice); done++ {
		if err := r.suffix(&todo[done]); err != nil {
			return 0, err
		}
	}
	return done, nil
}

// begin takes the .lock and makes sure that the partition is still the one that
// was listed. It opens the directory that the partition is in.
func (r *remover) begin() (objects Dir, err error) {
	r.self, err = r.lockSelf(r.ctx)
	if is(err, unix.ENOSPC, unix.EDQUOT) {
		// There is no lock file and no room for one: nobody else has it then. The
		// disk may well have room after the first files are gone.
		r.self, err = nil, nil
	}
	if err != nil {
		return Dir{}, err
	}
	return r.inPlace()
}

func (r *remover) end(objects Dir) {
	r.fs.CloseDir(objects)
	r.unlock()
}

func (r *remover) unlock() {
	if r.self != nil {
		r.self.Unlock() // closing gives a flock back, whatever close says
		r.self = nil
	}
}

// mark invalidates suffixes before their first file goes, so that their hashes
// never tell of more than there is, also after a crash: hence the fsync. When
// there is no room to say so, all hashes go instead.
func (r *remover) mark(suffixes []suffixDir) error {
	var lines []byte
	for _, s := range suffixes {
		lines = hashes.AppendInvalid(lines, s.name)
	}
	err := r.appendInvalid(lines)
	if err == nil {
		err = r.syncInvalid()
	}
	if is(err, unix.ENOSPC, unix.EDQUOT) {
		r.warn().Err(err).Msg("hashes dropped: no room to invalidate a suffix")
		err = r.dropCache(hashFile)
	}
	if err != nil {
		return fmt.Errorf("invalidate suffixes: %w", err)
	}
	r.invalid.info, err = r.fs.Stat(r.dir, invalidFile, false) // with our own lines
	if is(err, unix.ENOENT) {
		err = nil
	}
	return err
}

// syncInvalid makes hashes.invalid durable.
func (r *remover) syncInvalid() error {
	f, err := r.fs.OpenFile(r.dir, invalidFile, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// suffix removes the chosen objects of one suffix.
func (r *remover) suffix(s *suffixDir) error {
	d, err := r.fs.OpenDir(r.dir, s.name, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.fs.CloseDir(d)
	for i := range s.hashes {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.object(d, &s.hashes[i]); err != nil {
			return err
		}
	}
	_, err = r.rmdir(r.dir, s.name)
	return err
}

// object removes the files of an object, and its directory unless debris or
// something foreign is in it, or metadata that waits.
func (r *remover) object(suffix Dir, o *hashDir) error {
	d, err := r.fs.OpenDir(suffix, o.name, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.fs.CloseDir(d)
	// A last look: what a POST has just written must not lose its data.
	r.names, err = r.fs.ReadDir(d, "", r.names[:0])
	if is(err, unix.ENOENT) {
		return nil // removed since it was opened
	}
	if err != nil {
		return err
	}
	for _, name := range r.names {
		if !o.knows(name) {
			return kept("%q has arrived", r.rel(d.Child(name)))
		}
	}
	counted := false
	for _, f := range oldestFirst(o.files) {
		if slices.Contains(o.stay, f.name) {
			continue
		}
		gone, err := r.unlink(d, f, provenFile)
		if err != nil {
			return err
		}
		if gone && !counted {
			counted = true
			r.result.Objects++
		}
	}
	if len(o.stay) > 0 {
		return nil
	}
	empty, err := r.rmdir(suffix, o.name)
	if err == nil && !empty && len(o.temps)+len(o.foreign) == 0 {
		err = kept("something has arrived in %s", r.rel(d.Path))
	}
	return err
}

// knows tells whether the listing saw a name.
func (o *hashDir) knows(name string) bool {
	_, foreign := slices.BinarySearch(o.foreign, name)
	return foreign || find(o.files, name) >= 0 || find(o.temps, name) >= 0
}
