package server

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"understudy/internal/store"
	"understudy/internal/swift/policy/pytext"
	"understudy/internal/swift/timestamp"
)

// check tells what is wrong with the headers of a PUT, nil for nothing. That an
// object has expired is no reason: its expirer must find it everywhere.
// Swift: common/constraints.py check_object_creation, for a replication request.
func (c Constraints) check(r *subrequest, name store.ObjectName, at timestamp.Timestamp) *answer {
	wrong := func(code int, format string, args ...any) *answer {
		a := text(code, fmt.Sprintf(format, args...))
		return &a
	}
	contentType, hasType := r.headers.Get("content-type")
	due, dies := r.headers.Get("x-delete-at")
	switch {
	case r.length > c.MaxFileSize:
		return wrong(http.StatusRequestEntityTooLarge, "Your request is too large.")
	case utf8.RuneCountInString(name.Object) > c.MaxObjectNameLength:
		return wrong(http.StatusBadRequest, "Object name length of %d longer than %d", utf8.RuneCountInString(name.Object), c.MaxObjectNameLength)
	case !hasType:
		return wrong(http.StatusBadRequest, "No content type")
	case dies && !integer(due):
		return wrong(http.StatusBadRequest, "Non-integer X-Delete-At")
	case contentType == "" || !utf8.ValidString(contentType) || strings.Contains(contentType, "\x00"):
		return wrong(http.StatusBadRequest, "Invalid Content-Type")
	}
	if after, ok := r.headers.Get("x-delete-after"); ok {
		// Unlike Swift, which would reckon it from now: what is replicated has its time
		// of expiry already.
		return wrong(http.StatusBadRequest, "X-Delete-After %.40s in an SSYNC", after)
	}
	return c.checkMeta(r, wrong)
}

func integer(s string) bool {
	_, err := pytext.Int(s)
	return err == nil
}

// checkMeta is check for what users say of an object.
// Swift: common/constraints.py check_metadata.
func (c Constraints) checkMeta(r *subrequest, wrong func(int, string, ...any) *answer) (bad *answer) {
	const prefix = "x-object-meta-"
	count, size := 0, 0
	r.headers.Each(func(name, value string) {
		if bad != nil {
			return
		}
		if len(value) > c.MaxHeaderSize {
			bad = wrong(http.StatusBadRequest, "Header value too long: %.*s", c.MaxMetaNameLength, name)
			return
		}
		key, user := strings.CutPrefix(strings.ToLower(name), prefix)
		if !user {
			return
		}
		count, size = count+1, size+len(key)+len(value)
		switch {
		case key == "":
			bad = wrong(http.StatusBadRequest, "Metadata name cannot be empty")
		case len(key) > c.MaxMetaNameLength:
			bad = wrong(http.StatusBadRequest, "Metadata name too long: %s%s", prefix, name[len(prefix):])
		case len(value) > c.MaxMetaValueLength:
			bad = wrong(http.StatusBadRequest, "Metadata value longer than %d: %s%s", c.MaxMetaValueLength, prefix, name[len(prefix):])
		case count > c.MaxMetaCount:
			bad = wrong(http.StatusBadRequest, "Too many metadata items; max %d", c.MaxMetaCount)
		case size > c.MaxMetaOverallSize:
			bad = wrong(http.StatusBadRequest, "Total metadata too large; max %d", c.MaxMetaOverallSize)
		}
	})
	return bad
}
