package server

import (
	"context"
	"net"
	"net/http"

	"understudy/internal/mux"
)

// streamsKey holds, in the contexts of a server's connections, who takes the streams of
// those that are upgraded. A stream has none: there are no streams in streams.
type streamsKey struct{}

// streams has a server answer the requests that come by streams as well.
func (s *Server) streams(h *http.Server, l net.Listener) *mux.Listener {
	streams := mux.NewListener(l.Addr(), s.cfg.Limits.Connections, s.cfg.Log)
	h.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		ctx = context.WithValue(ctx, connKey{}, c)
		if mux.IsStream(c) {
			return ctx
		}
		return context.WithValue(ctx, streamsKey{}, streams)
	}
	go func() { _ = h.Serve(streams) }() // until h ends
	return streams
}

// upgrade goes on with a connection as one of streams, until it ends.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	streams, ok := r.Context().Value(streamsKey{}).(*mux.Listener)
	if !ok {
		page(http.StatusNotImplemented, "There are no streams here.").write(w)
		return
	}
	conn, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		page(http.StatusNotImplemented, "There are no streams here.").write(w)
		return
	}
	s.cfg.Log.Debug().Str("peer", r.RemoteAddr).Msg("streams begin")
	streams.Adopt(conn, in.Reader)
	s.cfg.Log.Debug().Str("peer", r.RemoteAddr).Msg("streams end")
}
