package server

import (
	"io"
	"net/http"
	"time"
)

// session answers SSYNC and sees to what is the connection's and not the protocol's.
func (s *Server) session(w http.ResponseWriter, r *http.Request, path string, started time.Time) {
	head := &statusWriter{ResponseWriter: w}
	defer func() { // also after a session that hangs up
		if head.status == http.StatusOK { // else a whole answer has been logged
			s.logRequest(r, head.status, 0, time.Since(started))
		}
	}()
	s.ssync(head, r, path)
	if head.status == http.StatusOK {
		endBody(head, r)
	}
}

// endBody waits a moment for the last chunk of a sender that has said all. When
// net/http has to read it itself, after a handler in full duplex, it begins to look
// out for the peer's end while it waits for the next request, and panics.
func endBody(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 4096)) // an error ends the connection
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
