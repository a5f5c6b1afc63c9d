package control

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// heartbeat is the longest silence of /v1/events.
const heartbeat = 15 * time.Second

const longestInterval = time.Hour

// events sends a report at once and then each second, or at another interval, until
// the watcher hangs up, does not take what it is sent, or the server ends.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	every, err := s.interval(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	me := s.hub.join(every)
	if me == nil {
		fail(w, http.StatusServiceUnavailable, "too many watch already")
		return
	}
	defer s.hub.leave(me)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	to := http.NewResponseController(w)
	_ = to.SetReadDeadline(time.Time{}) // a request that was read has no end to wait for
	if !s.piece(to, w, frame(s.reports.get(r.Context()))) {
		return
	}
	s.follow(r.Context(), me, func(data []byte) bool { return s.piece(to, w, data) })
}

// follow hands on what the hub tells.
func (s *Server) follow(ctx context.Context, me *watcher, piece func([]byte) bool) {
	silence := time.NewTicker(s.cfg.limits.idle)
	defer silence.Stop()
	for {
		data := []byte(":\n\n") // a comment: who is gone is noticed by it
		select {
		case data = <-me.frames:
		case <-silence.C:
		case <-ctx.Done():
			return
		case <-s.stopping:
			return
		}
		if !piece(data) {
			return
		}
		silence.Reset(s.cfg.limits.idle)
	}
}

// piece writes a part of an answer, which has to be taken in time.
func (s *Server) piece(to *http.ResponseController, w http.ResponseWriter, data []byte) bool {
	if err := to.SetWriteDeadline(time.Now().Add(s.cfg.limits.write)); err != nil {
		return false
	}
	_, err := w.Write(data)
	return err == nil && to.Flush() == nil
}

// interval is how many ticks lie between two reports.
func (s *Server) interval(r *http.Request) (int, error) {
	asked := r.URL.Query().Get("interval")
	if asked == "" {
		return 1, nil
	}
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(asked, "s"), 64)
	if err != nil || !(seconds > 0 && seconds <= longestInterval.Seconds()) {
		return 0, &badRequest{"interval is a number of seconds from 1 to " + strconv.Itoa(int(longestInterval.Seconds())) + ", not " + strconv.Quote(asked)}
	}
	return max(1, int(math.Ceil(seconds/s.cfg.limits.tick.Seconds()))), nil
}
