package store

import (
	"context"
	"fmt"

	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
	"understudy/internal/zoo"
)

// ConflictError says that an object's version is not older than the one that was to
// replace it. Swift answers 409.
type ConflictError struct{ At timestamp.Timestamp }

func (e *ConflictError) Error() string { return "there is a version of " + e.At.Internal() }

// BeginPut begins a new version of an object with a content of size bytes. Errors:
// *ConflictError, ErrNoSpace, *messages.DeviceError. An object whose files cannot be
// read, for another reason than being corrupt, is not replaced.
// Swift: obj/server.py _pre_create_checks.
func (in *Incoming) BeginPut(ctx context.Context, n ObjectName, at timestamp.Timestamp, size int64) (*Draft, error) {
	hash := in.hash(n)
	st, err := in.state(ctx, hash)
	if err != nil {
		return nil, err
	}
	was := st.Data
	if st.Exists && st.expired(at) {
		was = st.Newest
	}
	if c := was.Compare(at); c > 0 || c == 0 && !zoo.Bug("tie-by-arrival") {
		return nil, &ConflictError{was}
	}
	return in.draft(ctx, hash, max(0, size))
}

// FinishPut publishes a draft of BeginPut. m is all of its metadata but the name,
// with an X-Timestamp, which also names the file.
func (d *Draft) FinishPut(ctx context.Context, n ObjectName, m metadata.Metadata) error {
	text, _ := m.Get("X-Timestamp")
	at, err := timestamp.Parse(text)
	if err != nil {
		return fmt.Errorf("put %s: %w", d.hash, err)
	}
	return d.publish(ctx, at.Internal()+".data", set(m, "name", n.Path()))
}

// Post is new metadata for an object.
type Post struct {
	At          timestamp.Timestamp
	HasType     bool
	ContentType string
	TypeAt      timestamp.Timestamp // when the content type was set
	Metadata    metadata.Metadata   // all that the request says, X-Timestamp first
}

// Post writes metadata beside an object's data. Errors: ErrNoObject, *ConflictError
// when neither the metadata nor the content type are newer, ErrNoSpace,
// *messages.DeviceError. Swift: obj/server.py POST.
func (in *Incoming) Post(ctx context.Context, n ObjectName, p Post) error {
	hash := in.hash(n)
	st, err := in.state(ctx, hash)
	if err != nil {
		return err
	}
	if !st.Exists {
		return fmt.Errorf("post to %s: %w", hash, ErrNoObject)
	}
	m, ok := st.posted(p)
	if !ok {
		return &ConflictError{st.Newest}
	}
	file, err := metaName(m)
	if err != nil {
		return fmt.Errorf("post to %s: %w", hash, err)
	}
	d, err := in.draft(ctx, hash, 0)
	if err != nil {
		return err
	}
	defer d.Discard()
	return d.publish(ctx, file, set(m, "name", n.Path()))
}

// posted is what an object's metadata file says after a POST; false when it says
// nothing new.
//
// Unlike Swift, which fails: a content type newer than the object in metadata older
// than the data is a conflict, too. No Swift has ever written such a pair.
func (s *State) posted(p Post) (metadata.Metadata, bool) {
	var typeAt timestamp.Timestamp
	if p.HasType {
		typeAt = p.TypeAt
	}
	newer, newType := p.At.Compare(s.Newest) > 0, typeAt.Compare(s.CType) > 0
	if !newer && (!newType || s.PostMeta == nil) {
		return nil, false
	}
	var m metadata.Metadata
	if newer {
		m = append(m, p.Metadata...)
	} else {
		for _, pair := range s.PostMeta {
			if pair.Name != "name" {
				m = append(m, pair)
			}
		}
	}
	switch {
	case newType:
		m = set(set(m, contentType, p.ContentType), contentTypeTime, typeAt.Internal())
	case s.CType != s.Data:
		m = set(set(m, contentType, s.contentType()), contentTypeTime, s.CType.Internal())
	}
	return m, true
}

// metaName is the name of the file that metadata goes to.
// Swift: obj/diskfile.py make_on_disk_filename.
func metaName(m metadata.Metadata) (string, error) {
	text, _ := m.Get("X-Timestamp")
	at, err := timestamp.Parse(text)
	if err != nil {
		return "", err
	}
	text, ok := m.Get(contentTypeTime)
	if !ok || text == "" {
		return at.Internal() + ".meta", nil
	}
	ctype, err := timestamp.Parse(text)
	if err != nil {
		return "", err
	}
	return timestamp.Encode(at, &ctype) + ".meta", nil
}

// Delete puts a tombstone in an object's place, also where there is no object.
// existed tells whether there was one. Errors: *ConflictError when the object is not
// older, *messages.DeviceError. Swift: obj/server.py DELETE.
func (in *Incoming) Delete(ctx context.Context, n ObjectName, at timestamp.Timestamp) (existed bool, err error) {
	hash := in.hash(n)
	st, err := in.state(ctx, hash)
	if err != nil {
		return false, err
	}
	was, existed := st.Data, st.Exists
	if st.Exists && st.expired(at) {
		was, existed = st.Newest, false
	}
	if was.Compare(at) >= 0 {
		if existed {
			return true, &ConflictError{was}
		}
		return false, nil // deleted later, or expired
	}
	d, err := in.draft(ctx, hash, -1)
	if err != nil {
		return existed, err
	}
	defer d.Discard()
	m := metadata.Metadata{{Name: "X-Timestamp", Value: at.Internal()}, {Name: "name", Value: n.Path()}}
	return existed, d.publish(ctx, at.Internal()+".ts", m)
}
