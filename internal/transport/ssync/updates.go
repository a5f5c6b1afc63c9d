package ssync

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// updates sends what the receiver wants and learns whether all of it was taken.
// Swift: obj/ssync_sender.py updates.
func (s *session) updates(ctx context.Context) error {
	if err := s.say(wire.UpdatesStart, "updates start"); err != nil {
		return err
	}
	if s.acked {
		s.hear()
	}
	if err := s.sendWanted(ctx); err != nil {
		s.deafen()
		return err
	}
	if !s.acked {
		if err := s.await(wire.UpdatesStart, "updates start wait"); err != nil {
			return err
		}
		return s.await(wire.UpdatesEnd, "updates line wait")
	}
	if err := s.heard(); err != nil {
		return err
	}
	if err := s.await(wire.UpdatesEnd, "updates line wait"); err != nil {
		return err
	}
	return s.settle(ctx)
}

// sendWanted sends all that is wanted, and the line that ends it.
func (s *session) sendWanted(ctx context.Context) error {
	for _, k := range s.wanted {
		if err := s.update(ctx, k); err != nil {
			return err
		}
	}
	return s.say(wire.UpdatesEnd, "updates end")
}

// update sends the wanted parts of one object. An object that cannot be sent is
// left out; an error ends the session.
func (s *session) update(ctx context.Context, k key) error {
	o := s.offered[k]
	object, err := s.objects.Open(ctx, k.String())
	if err != nil {
		return s.leaveOut(ctx, k, err)
	}
	defer object.Close()
	parts, err := s.prepare(ctx, object, o)
	if err != nil {
		return s.leaveOut(ctx, k, err)
	}
	for _, p := range parts {
		if err := s.send(ctx, object, p); err != nil {
			return err
		}
	}
	// What was sent proves what was offered only if it is that: the object may have
	// become another since.
	o.sent = slices.Equal(object.Files, o.files) || !s.job.Handoff
	if o.data && object.Deleted {
		o.meta = false // it would find nothing to change
	}
	s.offered[k] = o
	return nil
}

// leaveOut notes that a wanted object is not sent.
//
// Unlike Swift: which says nothing and still counts the object as the receiver's.
func (s *session) leaveOut(ctx context.Context, k key, err error) error {
	var device *messages.DeviceError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &device):
		return err
	case errors.Is(err, fs.ErrNotExist):
		s.log.Debug().Err(err).Stringer("object", k).Msg("wanted object not sent")
	default:
		s.unreadable = true
		s.log.Error().Err(err).Stringer("object", k).Msg("wanted object not sent")
	}
	s.unsent++
	return nil
}

// part is a subrequest, ready to be sent.
type part struct {
	what string // for a timeout
	head []byte
	body []byte // a small body, read and proven
	big  bool   // the object's body follows, from the disk
}

// prepare makes the subrequests that carry the wanted parts of an object. Nothing
// has been sent of an object that fails here.
func (s *session) prepare(ctx context.Context, object *wire.Object, o offered) (parts []part, err error) {
	add := func(what string, r wire.Subrequest) error {
		head, err := r.Append(nil)
		if err != nil {
			return err
		}
		parts = append(parts, part{what: what, head: head})
		return nil
	}
	switch {
	case o.data && object.Bases() == 0:
		return nil, nil // the metadata goes on waiting
	case o.data && object.Deleted:
		return parts, add("send_delete", object.Delete())
	case o.data:
		if err := add("send_put", object.Put()); err != nil {
			return nil, err
		}
		if object.Size > smallBody {
			parts[0].big = true
		} else if parts[0].body, err = s.read(ctx, object); err != nil {
			return nil, err
		}
	}
	if o.meta && object.PostMeta != nil {
		if err := add("send_post", object.Post()); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// read reads a small body whole and compares it with its md5. One that is not what
// it should be is put away. It holds until the next call.
func (s *session) read(ctx context.Context, object *wire.Object) ([]byte, error) {
	if s.small == nil {
		s.small = make([]byte, smallBody+1)
	}
	n, err := object.Body.ReadAt(s.small[:object.Size+1], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	body := s.small[:n]
	sum := md5.Sum(body)
	if int64(n) == object.Size && hex.EncodeToString(sum[:]) == object.ETag {
		return body, nil
	}
	if err := s.objects.Verify(ctx, object.Hash); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("read %s: it changed while it was read", object.Hash)
}

// send sends one subrequest.
func (s *session) send(ctx context.Context, object *wire.Object, p part) error {
	s.chunk(p.head)
	if s.acked {
		s.sent = append(s.sent, keyOf(object.Hash))
	}
	if p.big {
		if err := s.flush(p.what); err != nil {
			return err
		}
		if !s.acked { // who acknowledges says which it was
			s.suspects = append(s.suspects, object.Hash)
		}
		return s.sendBody(ctx, object)
	}
	if len(p.body) > 0 {
		if err := s.wait(ctx, len(p.body)); err != nil {
			return err
		}
		s.chunk(p.body)
		s.job.Flight.Sent(int64(len(p.body)))
	}
	if !s.ripe() {
		return nil
	}
	return s.flush(p.what)
}

// wait waits until n bytes of a body may go.
func (s *session) wait(ctx context.Context, n int) error {
	if s.cfg.Wait == nil {
		return nil
	}
	return s.cfg.Wait(ctx, s.job.Partition.Device, n)
}

// suspect looks after a failed session at the bodies that the receiver may have
// refused: it does not say which. Small ones were proven before they were sent.
func (s *session) suspect(ctx context.Context, cause error) {
	var plain *replicationError
	if !errors.As(cause, &plain) || plain.line == nil && !errors.Is(cause, errLength) {
		return
	}
	if plain.line != nil && plain.line.Code == 0 && !bytes.HasPrefix([]byte(plain.line.Message), []byte("'Too many ")) {
		return
	}
	for _, hash := range s.suspects {
		if err := s.objects.Verify(ctx, hash); err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Error().Err(err).Str("object", hash).Msg("sent object not verified")
		}
	}
}
