package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"understudy/internal/swift/hashes"
	"understudy/internal/zoo"
	"understudy/messages"
)

// maxRestarts is how often a partition is hashed again because its hashes were
// changed by another process meanwhile.
const maxRestarts = 5

// Hashes returns the suffix hashes of a partition after cleaning it up; cached
// ones, except for suffixes that are marked as changed, that are not hashed yet,
// or that o asks for. It checks the device first. Errors: *messages.DeviceError,
// *messages.NotDirectoryError, *LockTimeoutError, or what the disk says. A missing
// partition has no hashes and is not made. Swift: obj/diskfile.py get_hashes.
//
// Unlike Swift: a disk that is full or read-only still has its hashes told; they
// are only not cached. And the work is not started over for ever: after a few
// times the hashes are told, but left to the faster process to cache.
func (s *Store) Hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
	w, err := s.open(ctx, p, false)
	if errors.Is(err, ErrNoPartition) {
		return messages.HashReport{Hashes: messages.Hashes{}}, nil
	}
	if err != nil {
		return messages.HashReport{}, err
	}
	defer w.close()
	o.Recalculate = slices.DeleteFunc(slices.Clone(o.Recalculate), func(suffix string) bool { return !hashes.ValidSuffix(suffix) })
	h := newHasher(w)
	for attempt := 0; ; attempt++ {
		report, done, err := h.once(ctx, &o)
		if done || err != nil {
			return report, err
		}
		if attempt == maxRestarts {
			w.warn().Int("attempt", attempt).Msg("hashes not cached: they keep changing")
			return report, nil
		}
		if err := sleep(ctx, s.backoff(attempt)); err != nil {
			return messages.HashReport{}, err
		}
	}
}

// once hashes the partition once. It is not done when somebody has changed
// hashes.pkl meanwhile. A listing that was necessary stays so for the next time.
func (h *hasher) once(ctx context.Context, o *messages.HashOptions) (report messages.HashReport, done bool, err error) {
	base, frozen, err := h.baseline(ctx)
	if err != nil {
		return report, false, err
	}
	next := hashes.File{Valid: true, Suffixes: map[string]string{}, Updated: base.Updated}
	if base.trusted {
		next.Suffixes = maps.Clone(base.Suffixes)
	} else {
		o.List = true
	}
	found, err := h.refresh(ctx, next.Suffixes, *o)
	if err != nil {
		return report, false, err
	}
	report = messages.HashReport{Hashes: next.Suffixes, Hashed: found.hashed, Ill: found.ill}
	whole := base.trusted && (base.Updated >= 0 || !o.List) // older Swift notes no time
	if whole && !found.changed || frozen {
		return report, true, nil
	}
	done, err = h.publish(ctx, base.File, next)
	return report, done, err
}

// baseline is hashes.pkl as it must still be when new hashes are written. Unless
// it is trusted nothing else is taken from it.
type baseline struct {
	hashes.File
	trusted bool
}

func (h *hasher) baseline(ctx context.Context) (base baseline, frozen bool, err error) {
	f, frozen, err := h.consolidate(ctx)
	var timeout *LockTimeoutError
	switch {
	case ctx.Err() != nil:
		return base, false, ctx.Err()
	case errors.As(err, &timeout):
		return base, false, err
	case err != nil:
		swiftsWords(h.warn()).Err(err).Msgf("Unable to read '%s'", h.dir.Child(hashFile))
	case f.Valid:
		return baseline{File: f, trusted: true}, frozen, nil
	}
	// Whatever is there now is what the new hashes will replace, readable or not.
	return baseline{File: h.readCache()}, frozen, nil
}

// refreshed is what has come of a look at the suffixes.
type refreshed struct {
	changed bool
	hashed  int
	ill     error // the first illness of the disk
}

// refresh brings suffixes up to date: those found on disk and not known (with
// o.List), those to be recalculated, and those without a hash.
//
// Unlike Swift: a listing that finds nothing new is no reason to write hashes.pkl.
func (h *hasher) refresh(ctx context.Context, suffixes map[string]string, o messages.HashOptions) (r refreshed, err error) {
	if o.List {
		h.entries, err = h.fs.ReadDir(h.dir, "", h.entries[:0])
		if err != nil {
			return r, err
		}
		for _, name := range h.entries {
			// Unlike Swift, which takes any name of three characters: one that is not
			// hex would make hashes.pkl invalid for every later reader.
			if _, known := suffixes[name]; !known && hashes.ValidSuffix(name) {
				suffixes[name] = ""
			}
		}
	}
	for _, suffix := range o.Recalculate {
		suffixes[suffix] = ""
	}
	var unknown []string
	for suffix, sum := range suffixes {
		if sum == "" {
			unknown = append(unknown, suffix)
		}
	}
	slices.Sort(unknown)
	for _, suffix := range unknown {
		if err := paced(ctx); err != nil {
			return r, err
		}
		r.changed = true
		sum, err := h.suffix(ctx, suffix)
		switch {
		case err == nil:
			suffixes[suffix] = sum
			r.hashed++
		case errors.Is(err, errGone):
			delete(suffixes, suffix)
		case ctx.Err() != nil:
			return r, ctx.Err()
		default:
			// It stays without a hash, which equals no peer's.
			swiftsWords(h.error()).Err(err).Str("suffix", suffix).Msgf("Error hashing suffix: %v", err)
			if r.ill == nil && h.Ill(err) {
				r.ill = err
			}
		}
	}
	return r, nil
}

// publish writes hashes.pkl if it still is what the new hashes were made from.
// Otherwise an invalidation that arrived meanwhile would be lost.
func (h *hasher) publish(ctx context.Context, base, next hashes.File) (done bool, err error) {
	lock, err := h.lockSelf(ctx)
	if err == nil {
		defer lock.Unlock()
		if !zoo.Bug("hash-before-check") && !h.readCache().Equal(base) {
			return false, nil
		}
		err = h.writeCache(&next)
	}
	if unwritable(err) {
		h.warn().Err(err).Msg("hashes not cached: disk takes no writes")
		return true, nil
	}
	return err == nil, err
}

// backoff is the pause before a partition is hashed again because another
// process was faster: it doubles, with as much again at random.
func (s *Store) backoff(attempt int) time.Duration {
	base := 10 * time.Millisecond << attempt
	return base + time.Duration(s.rand.IntN(int(base)))
}
