package server

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"understudy/internal/mux"
	"understudy/internal/native"
)

func (p PassTo) withDefaults(l Limits) PassTo {
	number(&p.Dial, 500*time.Millisecond)
	number(&p.Silence, 10*time.Minute)
	number(&p.Places, max(1, l.Connections*3/4))
	return p
}

// objectMethods are the verbs that only a whole object server has.
var objectMethods = []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut}

// allowed are the methods that a client can use here, in order.
func (s *Server) allowed() []string {
	if s.cfg.PassTo.Address == "" {
		return s.methods
	}
	all := slices.Concat(s.methods, objectMethods)
	slices.Sort(all)
	return slices.Compact(all)
}

// foreign tells whether a request is for the server that requests are passed to.
// What asks about this node is ours, and so is replication of our policies.
func (s *Server) foreign(h head) bool {
	switch {
	case h.path == healthPath, strings.HasPrefix(h.path, reconPath), h.method == http.MethodOptions,
		h.path == mux.Path, h.method == native.Method:
		return false
	case h.method == methodReplicate || h.method == methodSsync:
		if s.cfg.NoReplication {
			return false // 405, whatever the policy
		}
		_, ours := s.policy(h.policy)
		return !ours || !slices.Contains(s.methods, h.method)
	}
	return true
}
