package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"understudy/internal/native"
	"understudy/messages"
)

// Lane is what a server compares surveys with. All fields are required.
type Lane struct {
	Store   Digests
	Cluster native.Cluster
	// Ring is the version of a policy's ring, 0 when it is not known. It may block on
	// the disk of the rings.
	Ring func(policy int) uint64
}

// Digests is what surveys need of the disks. See store.Store.
type Digests interface {
	Digests(ctx context.Context, device string, asks []messages.DigestAsk, each func(i int, r messages.DigestReport) bool) error
}

// offer tells a peer that it may send surveys here.
func (s *Server) offer(w http.ResponseWriter) {
	if s.cfg.Lane != nil {
		w.Header().Set(native.Header, native.Offer)
	}
}

// survey answers SURVEY: which of the partitions that a peer has are different here.
func (s *Server) survey(ctx context.Context, w http.ResponseWriter, r *http.Request, path string) answer {
	bad := func(format string, args ...any) answer {
		return answer{http.StatusBadRequest, typeText, fmt.Sprintf(format, args...)}
	}
	switch lane := r.Header.Get(native.Header); {
	case path != native.Path:
		return bad("Invalid path: %s", quote(path))
	case lane != native.Offer:
		return bad("Lane %.40q is asked for, this node offers %s", lane, native.Offer)
	case r.ContentLength < 0:
		return bad("A survey has a Content-Length")
	case r.ContentLength > native.MaxRequest:
		return bad("A survey has %d bytes at most, this one %d", native.MaxRequest, r.ContentLength)
	}
	// No error: a reader without deadlines is not a peer's connection.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.Limits.Header))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return bad("Cannot read the survey: %v", err)
	}
	request, err := native.DecodeRequest(body)
	if err != nil {
		return bad("%v", err)
	}
	if about, why := s.cfg.Lane.refuses(request); why != "" {
		w.Header().Set(native.Refusal, about)
		return answer{http.StatusConflict, typeText, why}
	}
	out, err := s.look(ctx, request).Encode(body)
	if err != nil {
		s.cfg.Log.Error().Err(err).Str("peer", r.RemoteAddr).Msg("answer survey")
		return answer{http.StatusInternalServerError, typeText, err.Error()}
	}
	return answer{http.StatusOK, native.Content, string(out)}
}

// refuses tells why the asker must not work with this node, if so, before any data
// has moved.
func (l *Lane) refuses(q *native.Request) (about, why string) {
	if q.Cluster != l.Cluster {
		return native.OtherCluster, "swift_hash_path_prefix or swift_hash_path_suffix in swift.conf is not the same on both nodes: " +
			"they would look for objects in different partitions"
	}
	for _, ring := range q.Rings {
		mine := l.Ring(int(ring.Policy))
		if mine == 0 || ring.Version == 0 || mine == ring.Version {
			continue
		}
		older := "the asked"
		if ring.Version < mine {
			older = "the asking"
		}
		return native.OtherRing, "the ring of policy " + strconv.FormatUint(uint64(ring.Policy), 10) + " has version " +
			strconv.FormatUint(ring.Version, 10) + " on the asking node and " + strconv.FormatUint(mine, 10) + " on the asked one: that of " +
			older + " node is older"
	}
	return "", ""
}

// look compares the partitions of a survey, all devices at the same time, and answers
// with what has been done when the time is over. What is still at work then ends with
// its present partition.
func (s *Server) look(ctx context.Context, q *native.Request) *native.Answer {
	l := newLook(q)
	within := min(q.Within, s.cfg.Limits.Survey)
	for _, d := range l.devices {
		l.running.Add(1)
		go s.lookAt(ctx, l, d, within)
	}
	done := make(chan struct{})
	go func() {
		l.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return l.end()
}

// lookAt compares the partitions of one device.
func (s *Server) lookAt(ctx context.Context, l *look, d surveyed, within time.Duration) {
	defer l.running.Done()
	defer func() {
		if r := recover(); r != nil {
			s.cfg.Log.Error().Interface("panic", r).Str("device", d.name).Msg("survey panicked")
		}
	}()
	if !deviceName(d.name) {
		l.groups(d, native.Unavailable)
		return
	}
	asks := d.asks
	for _, g := range d.groups {
		if _, known := s.policy(strconv.FormatUint(uint64(g.policy), 10)); !known {
			l.group(g.index, native.NoPolicy)
			asks = without(asks, int(g.policy))
		}
	}
	release, ok := s.slots.take(ctx, d.name, min(within, s.cfg.Limits.DeviceWait))
	if !ok {
		return // they stay Busy
	}
	defer release()
	l.begin(d)
	plain := make([]messages.DigestAsk, len(asks))
	for i, a := range asks {
		plain[i] = a.DigestAsk
	}
	err := s.cfg.Lane.Store.Digests(ctx, d.name, plain, func(i int, r messages.DigestReport) bool {
		return l.found(asks[i].index, s.compare(ctx, d.name, asks[i], r))
	})
	if err != nil && ctx.Err() == nil {
		l.groups(d, native.Unavailable)
	}
}

// compare tells what one partition is like here. Kind 0: it is the same.
func (s *Server) compare(ctx context.Context, device string, ask surveyAsk, r messages.DigestReport) native.Finding {
	if r.Err == nil && r.Digest == ask.want {
		return native.Finding{}
	}
	if r.Err != nil {
		return native.Finding{Kind: native.Failed}
	}
	p := messages.Partition{Device: device, Policy: ask.Policy, Number: ask.Number}
	report, err := s.cfg.Store.Hashes(ctx, p, messages.HashOptions{})
	if err != nil {
		return native.Finding{Kind: native.Failed}
	}
	if d, err := native.DigestOf(report.Hashes); err == nil && d == ask.want {
		return native.Finding{}
	}
	return native.Finding{Kind: native.Differs, Hashes: report.Hashes}
}
