package server

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"understudy/internal/observe/logs"
)

// logRequest writes the line that Swift's server writes for a request of its own,
// not of its filters: REPLICATE and SSYNC at level DEBUG, others at INFO.
// Swift: common/utils.py get_log_line, LOG_LINE_DEFAULT_FORMAT.
func (s *Server) logRequest(r *http.Request, status, bytes int, elapsed time.Duration) {
	path, _ := requestPath(r)
	if !s.cfg.LogRequests || path == healthPath || strings.HasPrefix(path, reconPath) {
		return
	}
	e := s.cfg.Log.Info()
	if r.Method == methodReplicate || r.Method == methodSsync || r.Header.Get("X-Backend-Replication") != "" {
		e = s.cfg.Log.Debug()
	}
	if !e.Enabled() {
		return
	}
	length := ""
	if bytes > 0 {
		length = strconv.Itoa(bytes)
	}
	peer, _, _ := net.SplitHostPort(r.RemoteAddr)
	field := func(v string) string { return cmp.Or(v, "-") }
	logs.Swift(e).Msg(fmt.Sprintf(`%s - - [%s +0000] "%s %s" %d %s "%s" "%s" "%s" %.4f "-" %d %s`,
		field(peer), time.Now().UTC().Format("02/Jan/2006:15:04:05"), r.Method, quote(path), status, field(length),
		field(r.Referer()), field(r.Header.Get("X-Trans-Id")), field(r.UserAgent()), elapsed.Seconds(), os.Getpid(), field(r.Header.Get(policyHeader))))
}
