package ssync

import (
	"context"

	wire "understudy/internal/swift/ssync"
	"understudy/internal/swift/timestamp"
	"understudy/messages"
)

// never is a time that no metadata can have: the last that can be written.
var never = timestamp.Timestamp{Raw: 999999999999999}

// doubtful is an offer of data as new as an object's metadata, with metadata that
// nobody can have. Who has data wants that metadata, and perhaps the data; who has a
// tombstone wants the data if the tombstone is older, and never the metadata.
func doubtful(o wire.Offer) wire.Offer {
	newest := o.Data
	for _, t := range []timestamp.Timestamp{o.Meta, o.CType} {
		if t.Compare(newest) > 0 {
			newest = t
		}
	}
	o.Data, o.Meta, o.CType = newest, never, newest
	return o
}

// doubt asks again about the objects of a revert that the receiver did not want and
// that have metadata. It wants nothing when it has all, but also when it has a
// tombstone that is newer than our data; then it lacks the metadata, which may be
// newer still and belong to data that is yet to come. Nothing is sent. With an error
// it tells how silent the receiver was.
//
// Unlike Swift: which takes silence for having everything, and removes the only
// copy of such metadata.
func (s *session) doubt(ctx context.Context) (messages.Silence, error) {
	if !s.job.Handoff {
		return messages.Answered, nil
	}
	var hashes []string
	for k, o := range s.offered {
		if !o.data && !o.meta && len(o.files) > o.bases {
			hashes = append(hashes, k.String())
		}
	}
	if len(hashes) == 0 {
		return messages.Answered, nil
	}
	job := s.job
	job.CheckOnly = hashes
	p := &session{cfg: s.cfg, log: s.log, job: job, objects: s.objects, plain: s.plain, probe: true}
	err := p.run(ctx)
	for _, hash := range hashes {
		k := keyOf(hash)
		o := s.offered[k]
		again, asked := p.offered[k]
		o.bare = err != nil || !asked || again.data && !again.meta
		s.offered[k] = o
	}
	return p.silence(err), err
}
