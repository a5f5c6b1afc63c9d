package server

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// policyHeader is how peers name the policy; without it they mean policy 0.
const policyHeader = "X-Backend-Storage-Policy-Index"

// replicate answers REPLICATE: with the suffix hashes of a partition, or, when
// the path names suffixes, with None after marking them as changed.
// Swift: obj/server.py REPLICATE.
func (s *Server) replicate(ctx context.Context, r *http.Request, path string) answer {
	q, bad := s.parse(r.Header.Get(policyHeader), path)
	if bad != nil {
		return *bad
	}
	device := q.partition.Device
	if !deviceName(device) {
		return unavailable(device)
	}
	release, ok := s.slots.take(ctx, device, s.cfg.Limits.DeviceWait)
	if !ok {
		// Unlike Swift: it lets any number of requests wait for a disk that hangs. Not
		// 507: that would make the peer put a copy elsewhere.
		return answer{http.StatusServiceUnavailable, typeText, "Device is busy: " + device}
	}
	defer release()
	body, err := s.work(ctx, q)
	var gone *messages.DeviceError
	switch {
	case errors.As(err, &gone):
		return unavailable(device)
	case err != nil:
		s.cfg.Log.Error().Err(err).Str("method", r.Method).Str("path", r.RequestURI).Str("peer", r.RemoteAddr).Msg("ERROR __call__ error")
		return answer{http.StatusInternalServerError, typeHTML, html.EscapeString(err.Error())}
	}
	return answer{http.StatusOK, typeHTML, body}
}

// query is a REPLICATE request.
type query struct {
	partition messages.Partition
	told      bool // the path names suffixes
	suffixes  []string
}

func (s *Server) work(ctx context.Context, q query) (string, error) {
	if err := s.cfg.Store.Check(ctx, q.partition.Device); err != nil {
		return "", err
	}
	if q.told {
		if len(q.suffixes) == 0 {
			return hashes.WireNone, nil
		}
		return hashes.WireNone, s.cfg.Store.Invalidate(ctx, q.partition, q.suffixes)
	}
	report, err := s.cfg.Store.Hashes(ctx, q.partition, messages.HashOptions{})
	if err != nil {
		return "", err
	}
	return string(hashes.EncodeWire(report.Hashes)), nil
}

// parse reads the request without touching the disk.
// Swift: common/request_helpers.py get_name_and_placement.
func (s *Server) parse(policy, path string) (query, *answer) {
	index, ok := s.policy(policy)
	if !ok {
		return query{}, &answer{http.StatusServiceUnavailable, typeText, "No policy with index " + policy}
	}
	invalid := func(what, value string) (query, *answer) {
		return query{}, &answer{http.StatusBadRequest, typeText, "Invalid " + what + ": " + quote(value)}
	}
	segments := strings.SplitN(path, "/", 4)
	if len(segments) < 3 || segments[0] != "" || segments[1] == "" || segments[2] == "" {
		return invalid("path", path)
	}
	device, name := segments[1], segments[2]
	if device == "." || device == ".." {
		return invalid("device", device)
	}
	// Unlike Swift: only numbers are partitions. Swift would look into any directory.
	number, err := strconv.ParseUint(name, 10, 32)
	if err != nil || strconv.FormatUint(number, 10) != name {
		return invalid("partition", name)
	}
	q := query{partition: messages.Partition{Device: device, Policy: index, Number: uint32(number)}}
	if len(segments) == 4 && segments[3] != "" {
		q.told, q.suffixes = true, suffixes(segments[3])
	}
	return q, nil
}

// policy finds the policy that a header names.
// Swift: common/storage_policy.py get_by_index.
func (s *Server) policy(header string) (int, bool) {
	index := 0
	if header != "" {
		var err error
		if index, err = strconv.Atoi(header); err != nil {
			return 0, false
		}
	}
	for _, p := range *s.ours.Load() {
		if p.Index == index {
			return index, true
		}
	}
	return 0, false
}

// suffixes are the distinct suffixes of a path's third segment; the rest of it
// does not count.
func suffixes(segment string) []string {
	var list []string
	seen := map[string]bool{}
	for s := range strings.SplitSeq(segment, "-") {
		if hashes.ValidSuffix(s) && !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	return list
}

// deviceName tells whether a name can be a device's. Others do not reach the
// disk. Swift: common/constraints.py check_drive.
func deviceName(s string) bool {
	for i := range len(s) {
		if !unreserved(s[i]) {
			return false
		}
	}
	return s != "" && s != "." && s != ".."
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-~", c) >= 0
}

// quote is Python's urllib.parse.quote.
func quote(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unreserved(c) || c == '/' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
