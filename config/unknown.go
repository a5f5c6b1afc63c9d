package config

import (
	"fmt"
	"strings"
)

// foreignDefaults are keys of [DEFAULT] that other daemons of the same file
// read. Swift: etc/object-server.conf-sample and the daemons of swift/obj.
var foreignDefaults = []string{
	"allowed_headers", "auto_create_account_prefix", "backlog", "bind_timeout", "bytes_per_second", "cert_file",
	"client_timeout", "container_update_timeout", "dequeue_from_legacy", "disk_chunk_size", "eventlet_tpool_num_threads",
	"expiring_objects_account_name", "expiring_objects_container_divisor", "files_per_second", "fsync_on_close", "handoffs_only",
	"internal_client_conf_path", "keep_cache_private", "keep_cache_slo_manifest", "keep_idle", "key_file", "log_anonymization_method",
	"log_anonymization_salt", "log_requests", "log_time", "max_clients", "max_deferred_updates", "max_objects_per_container_per_second",
	"max_objects_per_revert", "max_upload_time", "object_size_stats", "objects_per_second", "per_container_ratelimit_buckets", "process",
	"processes", "quarantine_age", "quarantine_threshold", "rebuild_handoff_node_count", "recon_lock_path", "reconstructor_workers",
	"replication_concurrency", "replication_failure_ratio", "replication_failure_threshold", "replication_server", "report_interval",
	"request_node_count", "request_tries", "require_proxy_protocol", "rsync_tempfile_timeout", "slow", "slowdown", "tasks_per_second",
	"updater_workers", "watchers", "workers", "zero_byte_files_per_second",
}

// Unknown is a key that nobody reads, and that nothing refers to.
type Unknown struct {
	Key     string
	Origin  Origin
	Nearest string // known option that it looks like, or empty
	Note    string // why it is not read, when it is not a matter of spelling
}

func (u Unknown) String() string {
	s := fmt.Sprintf("%s: unknown option %s", u.Origin, u.Key)
	switch {
	case u.Note != "":
		return s + " (" + u.Note + ")"
	case u.Nearest != "":
		return s + " (did you mean " + u.Nearest + "?)"
	}
	return s
}

// unknownKeys lists the keys of a section, and of DEFAULT, that are no option.
func unknownKeys(s *section, scope Scope) []Unknown {
	own, all := map[string]bool{}, map[string]bool{}
	for _, o := range Table() {
		if o.Scope&Both != 0 {
			all[o.Name] = true
			own[o.Name] = own[o.Name] || o.Scope&scope != 0
		}
	}
	for _, name := range foreignDefaults {
		all[name] = true
	}
	var out []Unknown
	for _, key := range s.keys() {
		origin, name := s.origins[key], strings.ToLower(key)
		switch {
		case origin == Origin{}, s.used[key], own[name]:
			continue
		case all[name] && (origin.Section == defaultSection || scope == ObjServer):
			continue
		case scope == ObjServer && key == "use":
			continue
		}
		u := Unknown{Key: key, Origin: origin}
		if strings.HasPrefix(name, "set ") && scope == Replicator {
			u.Note = "\"set\" is for [app:...] and [filter:...] sections; it is ignored here"
		} else {
			u.Nearest = nearest(name, own)
		}
		out = append(out, u)
	}
	return out
}

// nearest is the known name that takes the fewest edits, if they are few for the
// length of the word.
func nearest(word string, known map[string]bool) string {
	best, fewest := "", 3
	if len(word) < 8 {
		fewest = 2
	}
	if len(word) > 64 {
		return ""
	}
	for name, ok := range known {
		if !ok {
			continue
		}
		if n := edits(word, name); n < fewest || (n == fewest && (best == "" || name < best)) {
			best, fewest = name, n
		}
	}
	return best
}

// edits is the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
