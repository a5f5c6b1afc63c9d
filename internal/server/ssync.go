package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"understudy/internal/swift/policy/pytext"
	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// receiver is what all sessions of SSYNC share.
type receiver struct {
	cfg      Ssync
	places   chan struct{} // replication_concurrency; nil: no limit
	devices  slots
	wantable atomic.Int64 // objects that may still be wanted
}

func newReceiver(cfg Ssync) *receiver {
	cfg = cfg.withDefaults()
	r := &receiver{cfg: cfg, devices: slots{limit: cfg.SessionsPerDevice}}
	if cfg.Concurrency > 0 {
		r.places = make(chan struct{}, cfg.Concurrency)
	}
	r.wantable.Store(int64(cfg.WantLimit))
	return r
}

// take takes one of the places without waiting. Giving it back again does nothing.
func (r *receiver) take() (release func(), ok bool) {
	if r.places == nil {
		return func() {}, true
	}
	select {
	case r.places <- struct{}{}:
		var once sync.Once
		return func() { once.Do(func() { <-r.places }) }, true
	default:
		return nil, false
	}
}

// connKey holds the connection of a request in its context.
type connKey struct{}

// ssync answers SSYNC. What can be refused at once is an ordinary answer; after that
// all is said in the body of a 200. Swift: obj/ssync_receiver.py Receiver.
func (s *Server) ssync(w http.ResponseWriter, r *http.Request, path string) {
	q, bad := s.parse(r.Header.Get(policyHeader), path)
	if bad == nil && q.told {
		bad = &answer{http.StatusBadRequest, typeText, "Invalid path: " + quote(path)}
	}
	if bad == nil {
		bad = s.refusal(r, q.partition.Device)
	}
	if bad != nil {
		s.reply(w, r, *bad, time.Now())
		return
	}
	started := time.Now()
	n := &session{
		receiver: s.receiver, log: s.cfg.Log, partition: q.partition, peer: r.RemoteAddr,
		ctx: workContext(r), http: http.NewResponseController(w), w: w,
	}
	n.conn, _ = r.Context().Value(connKey{}).(net.Conn)
	n.in = newInput(r.Body, n.http, n.cfg.NetworkChunkSize, n.cfg.ClientTimeout)
	// The sender wants the head at once, and it goes on sending while it reads.
	if err := n.http.EnableFullDuplex(); err != nil {
		s.cfg.Log.Error().Err(err).Msg("EXCEPTION in ssync.Receiver")
		s.reply(w, r, page(http.StatusInternalServerError, "No full duplex."), time.Now())
		return
	}
	w.Header().Set("Content-Type", typeHTML)
	w.Header().Set("X-Backend-Accept-No-Commit", "True")
	if r.Header.Get(wire.AckHeader) == "1" {
		n.acks = &acks{session: n}
		w.Header().Set(wire.AckHeader, "1")
	}
	w.WriteHeader(http.StatusOK)
	ok := n.serve()
	s.cfg.Log.Debug().Str("method", r.Method).Str("path", r.RequestURI).Str("peer", r.RemoteAddr).
		Int("status", http.StatusOK).Bool("whole", ok).Dur("elapsed", time.Since(started)).Msg("request")
	if !ok {
		n.hangUp()
	}
}

// refusal is what speaks against a session before it begins.
func (s *Server) refusal(r *http.Request, device string) *answer {
	if index := r.Header.Get("X-Backend-Ssync-Frag-Index"); index != "" {
		if _, err := pytext.Int(index); err != nil {
			return &answer{http.StatusBadRequest, typeHTML, "Invalid X-Backend-Ssync-Frag-Index " + pytext.Repr(index)}
		}
	}
	gone := unavailable(device)
	if !deviceName(device) {
		return &gone
	}
	release, ok := s.slots.take(r.Context(), device, s.cfg.Limits.DeviceWait)
	if !ok {
		// Unlike Swift, which lets any number of sessions wait for a disk that hangs.
		return &answer{http.StatusServiceUnavailable, typeText, "Device is busy: " + device}
	}
	defer release()
	err := s.receiver.cfg.Store.Check(r.Context(), device)
	var down *messages.DeviceError
	if errors.As(err, &down) {
		return &gone
	}
	if err != nil {
		a := page(http.StatusInternalServerError, err.Error())
		return &a
	}
	return nil
}

// seconds is a time as Python's eventlet prints it in a timeout: whole ones of an
// option that is an int.
func seconds(d time.Duration, whole bool) string {
	text := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	if !whole && d%time.Second == 0 {
		text += ".0"
	}
	if d == time.Second {
		return text + " second"
	}
	return text + " seconds"
}

// inBand is an error that the sender is told, with an HTTP status or 0.
type inBand struct {
	code int
	body string // of an HTTP answer, when there is a code
	text string // else
}

func (e *inBand) Error() string {
	if e.code != 0 {
		return fmt.Sprintf("%d %s", e.code, e.body)
	}
	return e.text
}

func broken(format string, args ...any) error { return &inBand{text: fmt.Sprintf(format, args...)} }

// errHungUp says that the sender has ended the connection between two steps.
var errHungUp = errors.New("ssync client disconnected")

// errWrittenOff says that a disk has not answered for so long that the session was
// given up without it.
var errWrittenOff = errors.New("the disk did not answer in time")
