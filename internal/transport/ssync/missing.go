package ssync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	wire "understudy/internal/swift/ssync"
)

// missingCheck offers the objects of the job's suffixes and learns which parts of
// them the receiver wants. The receiver says nothing before it has heard all.
// Swift: obj/ssync_sender.py missing_check.
func (s *session) missingCheck(ctx context.Context) error {
	if err := s.say(wire.MissingStart, "missing_check start"); err != nil {
		return err
	}
	var only map[string]bool
	if s.job.CheckOnly != nil {
		only = make(map[string]bool, len(s.job.CheckOnly))
		for _, hash := range s.job.CheckOnly {
			only[hash] = true
		}
	}
	for _, suffix := range s.job.Suffixes {
		var sendErr error
		err := s.objects.Each(ctx, suffix, func(e wire.Entry) error {
			if only == nil || only[e.Hash] {
				sendErr = s.offer(e)
			}
			return sendErr
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case sendErr != nil:
			return sendErr
		case err != nil:
			s.unlisted = true
			s.log.Error().Err(err).Str("suffix", suffix).Msg("objects not listed")
		}
	}
	if err := s.say(wire.MissingEnd, "missing_check end"); err != nil {
		return err
	}
	if err := s.await(wire.MissingStart, "missing_check start wait"); err != nil {
		return err
	}
	return s.readWants()
}

// offer makes one offer.
func (s *session) offer(e wire.Entry) error {
	k := keyOf(e.Hash)
	if _, again := s.offered[k]; again {
		return nil
	}
	o := offered{}
	if s.job.Handoff {
		o.files, o.bases = slices.Clone(e.Files), e.Bases()
	}
	if s.probe {
		e.Offer = doubtful(e.Offer)
	}
	plain, lossy := e.Plain()
	if lossy {
		s.offsets++
	}
	if s.plain {
		e.Offer, o.lossy = plain, lossy
	}
	s.offered[k] = o
	before := len(s.out)
	s.line = append(e.Append(s.line[:0]), "\r\n"...)
	s.chunk(s.line)
	s.lines++
	s.bytes += len(s.out) - before
	if !s.ripe() {
		return nil
	}
	return s.flush(fmt.Sprintf("missing_check send line: %d lines (%d bytes) sent", s.lines-1, s.bytes))
}

// readWants reads what the receiver wants. Only what was offered can be wanted, so
// the list is bounded.
//
// Unlike Swift: which takes any line for a want, also the receiver's error.
func (s *session) readWants() error {
	blank := 0
	for {
		line, err := s.readLine("missing_check line wait")
		if err != nil {
			return err
		}
		if string(line) == wire.MissingEnd {
			return nil
		}
		if len(line) == 0 {
			if blank++; blank > maxBlank {
				return plainly("Unexpected response: too many blank lines")
			}
			continue
		}
		want, err := wire.ParseWant(line)
		if err != nil || !wire.ValidHash(want.Hash) {
			return unexpected(line)
		}
		k := keyOf(want.Hash)
		o, ok := s.offered[k]
		if !ok {
			return unexpected(line)
		}
		if !o.data && !o.meta {
			s.wanted = append(s.wanted, k)
		}
		o.data, o.meta, o.legacy = want.Data, want.Meta, want.Legacy
		s.offered[k] = o
	}
}

// offsetsRefused tells that the receiver is a Swift 2.30, which does not read the
// offsets of metadata and gives the whole session up over one.
func (s *session) offsetsRefused(err error) bool {
	var plain *replicationError
	return s.offsets > 0 && !s.plain && errors.As(err, &plain) && plain.line != nil && plain.line.Code == 0 &&
		strings.Contains(plain.line.Message, "invalid literal for int()") && strings.Contains(plain.line.Message, "__")
}
