package server

import (
	"net/http"
	"os"
)

const healthPath = "/healthcheck"

// health says that the server answers. Swift: common/middleware/healthcheck.py.
func (s *Server) health() answer {
	if s.cfg.DisablePath != "" {
		if _, err := os.Stat(s.cfg.DisablePath); err == nil {
			return answer{http.StatusServiceUnavailable, typeText, "DISABLED BY FILE"}
		}
	}
	return answer{http.StatusOK, typeText, "OK"}
}
