package server

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"understudy/internal/observe/recon"
)

// Recon says where the answers to swift-recon are. Swift:
// common/middleware/recon.py.
type Recon struct {
	Devices   string                                         // directory of the devices
	Cache     string                                         // recon_cache_path
	Rings     []string                                       // files whose checksums are told
	SwiftConf string                                         // likewise
	Mounted   func(ctx context.Context, device string) error // nil is mounted, whatever mount_check says
	Patience  time.Duration                                  // for one device to answer; 5s
}

const reconPath = "/recon/"

// reconKeys are what is told of a cache, by the first words of the path.
var reconKeys = map[string]struct {
	file string
	keys []string
}{
	"async":                 {"object", []string{"async_pending", "async_pending_last"}},
	"driveaudit":            {"drive", []string{"drive_audit_errors"}},
	"sharding":              {"container", []string{"sharding_stats", "sharding_time", "sharding_last"}},
	"replication":           {"object", objectReplication},
	"replication/object":    {"object", objectReplication},
	"replication/container": {"container", replication},
	"replication/account":   {"account", replication},
	"reconstruction/object": {"object", []string{"object_reconstruction_last", "object_reconstruction_time"}},
	"updater/container":     {"container", []string{"container_updater_sweep"}},
	"updater/object":        {"object", []string{"object_updater_sweep"}},
	"expirer/object":        {"object", []string{"object_expiration_pass", "expired_last_pass"}},
	"auditor/account":       {"account", audits("account")},
	"auditor/container":     {"container", audits("container")},
	"auditor/object":        {"object", []string{"object_auditor_stats_ALL", "object_auditor_stats_ZBF"}},
	"relinker":              {relinker, []string{"devices", "workers"}},
}

const relinker = "relinker"

var (
	replication       = []string{"replication_time", "replication_stats", "replication_last"}
	objectReplication = append([]string{"object_replication_time", "object_replication_last"}, replication...)
)

func audits(of string) []string {
	return []string{of + "_audits_passed", of + "_auditor_pass_completed", of + "_audits_since", of + "_audits_failed"}
}

// typed are the words whose next word counts, too.
var typed = map[string]bool{"replication": true, "reconstruction": true, "updater": true, "expirer": true, "auditor": true}

// recon answers a path that begins with reconPath.
func (s *Server) recon(ctx context.Context, path string) answer {
	what, rest, more := strings.Cut(strings.TrimPrefix(path, reconPath), "/")
	if typed[what] && more {
		what += "/" + rest
	}
	if k, ok := reconKeys[what]; ok {
		text, err := recon.Pick(filepath.Join(s.cfg.Recon.Cache, k.file+".recon"), k.keys...)
		if err != nil && !(k.file == relinker && errors.Is(err, fs.ErrNotExist)) {
			s.cfg.Log.Error().Err(err).Str("path", path).Msg("Error reading recon cache file")
		}
		return answer{http.StatusOK, typeJSON, string(text)}
	}
	tell := s.reconOf(what)
	if tell == nil {
		return answer{http.StatusNotFound, typeText, "Invalid path: " + quote(path)}
	}
	content, err := tell(ctx)
	if err == nil {
		var text []byte
		if text, err = json.Marshal(content); err == nil {
			return answer{http.StatusOK, typeJSON, string(text)}
		}
	}
	s.cfg.Log.Error().Err(err).Str("path", path).Msg("tell recon")
	return answer{http.StatusInternalServerError, typeText, "Internal server error."}
}

const typeJSON = "application/json"

// reconOf is how to find out what is asked; nil when nobody knows.
func (s *Server) reconOf(what string) func(context.Context) (any, error) {
	switch what {
	case "version":
		return func(context.Context) (any, error) { return map[string]string{"version": s.cfg.Version}, nil }
	case "time":
		return func(context.Context) (any, error) { return float64(time.Now().UnixNano()) / 1e9, nil }
	case "mem":
		return memory
	case "load":
		return load
	case "mounted":
		return mounts
	case "sockstat":
		return sockets
	case "ringmd5":
		return s.cfg.Recon.ringSums
	case "swiftconfmd5":
		return s.cfg.Recon.confSum
	case "devices":
		return s.cfg.Recon.devices
	case "unmounted":
		return s.unmounted
	case "diskusage":
		return s.diskUsage
	case "quarantined":
		return s.quarantined
	}
	return nil
}
