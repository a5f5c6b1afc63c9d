package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/messages"
)

// List reads a policy's partitions on a device. It checks the device
// (*messages.DeviceError), deletes old temporary files and makes the policy's
// directory when it is missing. Entries are taken by their names alone.
// Swift: obj/replicator.py build_replication_jobs.
//
// Each piece is what one system call has read, some thousand names at most; what it
// keeps of a partition is its number. An empty directory has no pieces. A disk that
// fails in the middle is an error after some pieces, and so is a ctx that is done.
func (s *Store) List(ctx context.Context, device string, policy int, each func(messages.Listing)) error {
	d, err := s.openDevice(ctx, device)
	if err != nil {
		return err
	}
	defer s.fs.CloseDir(d)
	if err := s.cleanTmp(ctx, d, messages.TmpDir(policy)); err != nil {
		return err
	}
	dir, pieces := messages.ObjectsDir(policy), 0
	err = s.fs.EachName(d, dir, func(names []string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		each(sortOut(names))
		pieces++
		return nil
	})
	if is(err, unix.ENOENT) && pieces == 0 {
		// Unlike Swift: never the device itself, should it have vanished since.
		if err := s.fs.Mkdir(d, dir); err != nil && !is(err, unix.EEXIST) {
			return &messages.CreateError{Path: d.Child(dir), Err: err}
		}
		each(messages.Listing{Created: true})
		return nil
	}
	if err != nil {
		return fmt.Errorf("list partitions: %w", err)
	}
	return nil
}

// sortOut tells partitions from other names. The auditor's status files live
// among the partitions and are nobody's failure.
//
// Unlike Swift: a partition is written in canonical decimal. Swift takes all that
// Python's int() reads, like "007" and "-1", which lead to partitions that no
// other node knows by that name.
func sortOut(names []string) messages.Listing {
	l := messages.Listing{Partitions: make([]uint32, 0, len(names))}
	for _, name := range names {
		if n, err := strconv.ParseUint(name, 10, 32); err == nil && (name[0] != '0' || len(name) == 1) {
			l.Partitions = append(l.Partitions, uint32(n))
		} else if !strings.HasPrefix(name, "auditor_status_") || !strings.HasSuffix(name, ".json") {
			l.Strange = append(l.Strange, strings.Clone(name)) // it outlives its batch
		}
	}
	return l
}

// cleanTmp deletes what lies in a device's directory for temporary files and was
// last written more than the reclaim age ago: no upload takes that long.
// Directories stay. Only a done ctx is an error: a directory that cannot be
// cleaned now can be cleaned in another pass. Swift: common/utils unlink_older_than.
//
// Unlike Swift: the age of a symbolic link is its own, not its target's.
func (s *Store) cleanTmp(ctx context.Context, device Dir, name string) error {
	d, err := s.fs.OpenDir(device, name, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	var names []string
	if err == nil {
		defer s.fs.CloseDir(d)
		names, err = s.fs.ReadDir(d, "", nil)
	}
	if err != nil {
		s.log.Warn().Err(err).Str("path", device.Child(name)).Msg("old temporary files not cleaned")
		return ctx.Err()
	}
	oldest := s.now().Add(-s.reclaimAge)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i, err := s.fs.Stat(d, name, false); err == nil && !i.IsDir() && i.ModTime.Before(oldest) {
			s.fs.Remove(d, name) // an error leaves it for the next pass
		}
	}
	return nil
}

// warn, debug and error begin a line about a partition.
func (w *partition) warn() *zerolog.Event  { return w.about(w.log.Warn()) }
func (w *partition) debug() *zerolog.Event { return w.about(w.log.Debug()) }
func (w *partition) error() *zerolog.Event { return w.about(w.log.Error()) }

func (w *partition) about(e *zerolog.Event) *zerolog.Event {
	return e.Str("device", w.place.Device).Int("policy", w.place.Policy).Uint32("partition", w.place.Number)
}
