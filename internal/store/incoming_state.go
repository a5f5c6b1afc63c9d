package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/metadata"
	"understudy/internal/swift/policy/pytext"
	"understudy/internal/swift/ssync"
	"understudy/internal/swift/timestamp"
)

// State is what is known of an object before another version of it is written. The
// zero State is that of an object that is not there.
type State struct {
	Exists  bool                // there is a data file
	Deleted bool                // there is a tombstone instead
	Data    timestamp.Timestamp // X-Timestamp of either
	Newest  timestamp.Timestamp // X-Timestamp of the newest metadata, else Data
	CType   timestamp.Timestamp // of the content type in force

	DataMeta metadata.Metadata // of the data file
	PostMeta metadata.Metadata // of POSTs, with the newest content type; nil for none
}

// merged looks a header up that POSTs replace as a whole.
func (s *State) merged(name string) (string, bool) {
	if s.PostMeta != nil {
		return s.PostMeta.Get(name)
	}
	return s.DataMeta.Get(name)
}

// contentType is the one in force.
func (s *State) contentType() string {
	if at, ok := s.PostMeta.Get(contentTypeTime); ok {
		if t, err := timestamp.Parse(at); err == nil && t.Compare(s.Data) >= 0 {
			v, _ := s.PostMeta.Get(contentType)
			return v
		}
	}
	v, _ := s.DataMeta.Get(contentType)
	return v
}

// expired tells whether the object's X-Delete-At has come at some moment.
func (s *State) expired(at timestamp.Timestamp) bool {
	text, ok := s.merged("X-Delete-At")
	if !ok {
		return false
	}
	due, err := pytext.Int(text)
	return err == nil && float64(due) <= at.Seconds()
}

// Held cleans an object's directory up and tells what is in it. What is corrupt is
// quarantined, and then not there. Any error means that nobody can say what is
// there: the object must then be called neither wanted nor held. What is there is made
// durable first, if it may not be.
// Swift: obj/ssync_receiver.py _check_local.
func (in *Incoming) Held(ctx context.Context, hash string) (State, error) {
	if err := ctx.Err(); err != nil {
		return State{}, err
	}
	if !ssync.ValidHash(hash) {
		return State{}, fmt.Errorf("look for object: %.40q is no hash", hash)
	}
	suffix, err := in.fs.OpenDir(in.dir, hash[29:], false)
	if is(err, unix.ENOENT) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("look for object %s: %w", hash, err)
	}
	in.at = in.now()
	_, _, err = in.entry(suffix, hash)
	if err != nil {
		err = in.broken(ctx, suffix, hash[29:], hash, err)
	}
	in.fs.CloseDir(suffix)
	if errors.Is(err, errGone) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	s, err := in.state(ctx, hash)
	if err == nil && (s.Exists || s.Deleted) {
		err = in.vouch(ctx, hash)
	}
	return s, err
}

// forever keeps every tombstone.
const forever = time.Duration(1<<63 - 1)

// state tells what is in an object's directory, as it is.
// Swift: obj/diskfile.py DiskFile.open.
func (in *Incoming) state(ctx context.Context, hash string) (State, error) {
	h, err := in.reach(ctx, hash)
	if errors.Is(err, ErrNoObject) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	defer h.close()
	h.set.Read(h.listed, in.at, forever)
	var s State
	switch {
	case h.set.Data != nil:
		err = h.dataState(ctx, &s)
	case h.set.TS != nil:
		err = h.tombstoneState(ctx, &s)
	}
	if errors.Is(err, ErrNoObject) {
		return State{}, nil
	}
	return s, err
}

func (h *openHashDir) tombstoneState(ctx context.Context, s *State) error {
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
	if s.Data, err = h.timeOf(m, "X-Timestamp", name); err != nil {
		return err
	}
	s.Deleted, s.Newest, s.CType = true, s.Data, s.Data
	return nil
}

func (h *openHashDir) dataState(ctx context.Context, s *State) error {
	name := h.set.Data.Name
	f, i, err := h.openFile(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.DataMeta, err = h.read(ctx, f, name); err != nil {
		return err
	}
	if _, err = h.verifyName(ctx, name, s.DataMeta); err != nil {
		return err
	}
	if _, err = h.verifyBody(ctx, name, s.DataMeta, i); err != nil {
		return err
	}
	if s.Data, err = h.timeOf(s.DataMeta, "X-Timestamp", name); err != nil {
		return err
	}
	s.Exists, s.Newest, s.CType = true, s.Data, s.Data
	if h.set.Meta == nil {
		return nil
	}
	return h.metaState(ctx, s)
}

// metaState adds what POSTs say. Swift: obj/diskfile.py _construct_from_data_file.
func (h *openHashDir) metaState(ctx context.Context, s *State) error {
	m, err := h.readMeta(ctx, h.set.Meta.Name)
	if err != nil {
		return err
	}
	if ctype := h.set.CType; ctype != nil && ctype.Name != h.set.Meta.Name {
		second, err := h.readMeta(ctx, ctype.Name)
		if err != nil {
			return err
		}
		value, has := second.Get(contentType)
		at, _ := second.Get(contentTypeTime)
		if mine, _ := m.Get(contentTypeTime); has && at > mine && at > s.Data.Internal() {
			m = set(set(m, contentType, value), contentTypeTime, at)
		}
	}
	s.PostMeta = m
	if s.Newest, err = h.timeOf(m, "X-Timestamp", h.set.Meta.Name); err != nil {
		return err
	}
	if at, ok := m.Get(contentTypeTime); ok {
		t, err := h.timeOf(m, contentTypeTime, h.set.Meta.Name)
		if err != nil {
			return fmt.Errorf("%w (%.60q)", err, at)
		}
		if t.Compare(s.Data) >= 0 {
			s.CType = t
		}
	}
	return nil
}

func (h *openHashDir) readMeta(ctx context.Context, name string) (metadata.Metadata, error) {
	f, _, err := h.openFile(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return h.read(ctx, f, name)
}

// timeOf reads a time of an object's metadata. Swift goes by it, and not by the
// name of the file, when it compares versions.
func (h *openHashDir) timeOf(m metadata.Metadata, key, file string) (timestamp.Timestamp, error) {
	text, _ := m.Get(key)
	t, err := timestamp.Parse(text)
	if err != nil {
		return t, fmt.Errorf("read metadata of %s: %s: %w", h.dir.Child(file), key, err)
	}
	return t, nil
}

// set is an assignment to a dictionary of Python: in place, or at the end.
func set(m metadata.Metadata, name, value string) metadata.Metadata {
	for i := range m {
		if m[i].Name == name {
			m[i].Value = value
			return m
		}
	}
	return append(m, metadata.Pair{Name: name, Value: value})
}
