package ssync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	wire "understudy/internal/swift/ssync"
)

// Acknowledgements come while subrequests are still being sent, so somebody has to
// read them meanwhile: a receiver whose lines nobody takes would stop reading, too.

// acks is the reader of one session's acknowledgements.
type acks struct {
	statuses []int // of the subrequests, in order; read after done
	err      error // read after done
	done     chan struct{}
}

// hear begins to read acknowledgements, up to the line that ends them.
func (s *session) hear() {
	a := &acks{done: make(chan struct{})}
	s.acks, s.leisure = a, true
	go func() {
		defer close(a.done)
		if a.err = s.collect(a); a.err != nil {
			s.conn.Close() // nobody would read any more: the sending ends, too
		}
	}()
}

// collect reads acknowledgements.
func (s *session) collect(a *acks) error {
	for len(a.statuses) <= 2*len(s.wanted) {
		line, err := s.readLine("updates start wait")
		if err != nil {
			return err
		}
		switch status, ok := wire.ParseAck(line); {
		case ok:
			a.statuses = append(a.statuses, status)
		case string(line) == wire.UpdatesStart:
			return nil
		case len(line) > 0:
			return unexpected(line)
		}
	}
	return plainly("Unexpected response: more acknowledgements than subrequests")
}

// deafen ends the reading of a session that has failed.
func (s *session) deafen() {
	if s.acks != nil {
		s.conn.Close()
		<-s.acks.done
	}
}

// heard waits for the end of the acknowledgements: from now on each of them is due.
func (s *session) heard() error {
	s.deadline.Lock()
	s.leisure = false
	err := s.conn.SetReadDeadline(time.Now().Add(s.cfg.HTTPTimeout))
	s.deadline.Unlock()
	if err != nil {
		s.conn.Close()
	}
	<-s.acks.done
	return s.acks.err
}

// due sets the time by which the next line must have come. While subrequests are sent
// there is none: a large body may take long, and its sending has limits of its own.
func (s *session) due() error {
	s.deadline.Lock()
	defer s.deadline.Unlock()
	if s.leisure {
		return s.conn.SetReadDeadline(time.Time{})
	}
	return s.conn.SetReadDeadline(time.Now().Add(s.cfg.HTTPTimeout))
}

// settle applies the acknowledgements: an object of which a part was refused is not
// proven. One whose body was refused may be corrupt here, and is looked at.
func (s *session) settle(ctx context.Context) error {
	if got, want := len(s.acks.statuses), len(s.sent); got != want {
		return plainly(fmt.Sprintf("Unexpected response: %d acknowledgements of %d subrequests", got, want))
	}
	for i, status := range s.acks.statuses {
		k := s.sent[i]
		o := s.offered[k]
		if wire.Taken(status) && (status != http.StatusNotFound || !o.meta) {
			continue
		}
		o.sent = false
		s.offered[k] = o
		if wire.Taken(status) {
			continue // as Swift counts; but metadata for which there is no object is not held
		}
		s.refused++
		s.log.Error().Stringer("object", k).Int("status", status).Msg("object refused")
		if status != http.StatusUnprocessableEntity {
			continue
		}
		if err := s.objects.Verify(ctx, k.String()); err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Error().Err(err).Stringer("object", k).Msg("refused object not verified")
		}
	}
	return nil
}
