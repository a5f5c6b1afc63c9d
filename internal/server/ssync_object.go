package server

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"understudy/internal/store"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
	"understudy/internal/zoo"
	"understudy/messages"
)

// route answers a subrequest. An error ends the session; what is only wrong with the
// subrequest is an answer. Swift: obj/server.py __call__.
func (n *session) route(r *subrequest, buffer []byte) (answer, error) {
	if _, asked := r.headers.Get("x-backend-next-part-power"); asked {
		// Unlike Swift: no sender says this in an SSYNC, and half of what it asks for
		// would be a second generation of partitions that nobody relinks.
		return text(http.StatusBadRequest, "X-Backend-Next-Part-Power is not served in an SSYNC"), nil
	}
	name, bad := objectName(n.partition, r.path)
	if bad != nil {
		return *bad, nil
	}
	at, bad := requestTime(r)
	if bad != nil {
		return *bad, nil
	}
	switch r.method {
	case "PUT":
		return n.put(r, name, at, buffer)
	case "POST":
		return n.post(r, name, at)
	}
	var existed bool
	err := n.disk(func() (err error) { existed, err = n.objects.Delete(n.ctx, name, at); return err })
	if err == nil && !existed {
		return status(http.StatusNotFound), nil
	}
	return n.outcome(r, http.StatusNoContent, err)
}

// put stores an object. Swift: obj/server.py PUT.
func (n *session) put(r *subrequest, name store.ObjectName, at timestamp.Timestamp, buffer []byte) (answer, error) {
	if bad := n.cfg.Constraints.check(r, name, at); bad != nil {
		return *bad, nil
	}
	var draft *store.Draft
	err := n.disk(func() (err error) { draft, err = n.objects.BeginPut(n.ctx, name, at, r.length); return err })
	if draft != nil {
		defer draft.Discard()
	}
	if err != nil {
		return n.outcome(r, 0, err)
	}
	for end := time.Now().Add(n.cfg.MaxUploadTime); r.left > 0; {
		block, err := n.read(r, buffer)
		if err != nil && zoo.Bug("short-body") {
			break
		}
		if err != nil {
			return answer{}, err
		}
		if time.Now().After(end) {
			return status(http.StatusRequestTimeout), nil
		}
		if err := n.disk(func() error { _, err := draft.Write(block); return err }); err != nil {
			return n.outcome(r, 0, err)
		}
	}
	etag := draft.ETag()
	if sent, _ := r.headers.Get("etag"); sent != "" && unquoted(sent) != etag {
		return status(http.StatusUnprocessableEntity), nil
	}
	contentType, _ := r.headers.Get("content-type")
	m := r.headers.PutMetadata(metadata.Metadata{
		{Name: "X-Timestamp", Value: at.Internal()},
		{Name: "Content-Type", Value: contentType},
		{Name: "Content-Length", Value: strconv.FormatInt(draft.Size(), 10)},
		{Name: "ETag", Value: etag},
	})
	err = n.disk(func() error { return draft.FinishPut(n.ctx, name, m) })
	return n.outcome(r, http.StatusCreated, err)
}

// unquoted is an etag without the quotes around it. Swift: common/swob.py
// normalize_etag.
func unquoted(etag string) string {
	if len(etag) > 1 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// post stores metadata beside an object. Swift: obj/server.py POST.
func (n *session) post(r *subrequest, name store.ObjectName, at timestamp.Timestamp) (answer, error) {
	if due, ok := r.headers.Get("x-delete-at"); ok && due != "" {
		switch seconds, err := strconv.ParseInt(due, 10, 64); {
		case err != nil:
			return text(http.StatusBadRequest, "Non-integer X-Delete-At"), nil
		case seconds != 0 && float64(seconds) < at.Seconds():
			return text(http.StatusBadRequest, "X-Delete-At in past"), nil
		}
	}
	p := store.Post{At: at, TypeAt: at}
	p.ContentType, p.HasType = r.headers.Get("content-type")
	p.HasType = p.HasType && p.ContentType != ""
	if sent, ok := r.headers.Get("content-type-timestamp"); ok && p.HasType {
		var err error
		if p.TypeAt, err = timestamp.Parse(sent); err != nil {
			return text(http.StatusBadRequest, "Invalid Content-Type-Timestamp header"), nil
		}
	}
	p.Metadata = r.headers.PostMetadata(metadata.Metadata{{Name: "X-Timestamp", Value: at.Internal()}})
	err := n.disk(func() error { return n.objects.Post(n.ctx, name, p) })
	return n.outcome(r, http.StatusAccepted, err)
}

// outcome is the answer to a subrequest that the store has dealt with.
func (n *session) outcome(r *subrequest, ok int, err error) (answer, error) {
	var conflict *store.ConflictError
	var device *messages.DeviceError
	switch {
	case err == nil:
		return status(ok), nil
	case errors.Is(err, errWrittenOff):
		return answer{}, err
	case errors.As(err, &conflict):
		return status(http.StatusConflict), nil
	case errors.Is(err, store.ErrNoObject):
		return status(http.StatusNotFound), nil
	case errors.As(err, &device), errors.Is(err, store.ErrNoSpace):
		n.log.Error().Err(err).Str("peer", n.peer).Msg("no room for an object")
		return unavailable(n.partition.Device), nil
	}
	n.log.Error().Bool("swift", true).Msgf("ERROR __call__ error with %s /%s/%d%s: %s",
		r.method, n.partition.Device, n.partition.Number, r.path, err)
	return text(http.StatusInternalServerError, err.Error()), nil
}

func text(status int, body string) answer { return answer{status, typeText, body} }

// reasons are Swift's words for a status. Swift: common/swob.py RESPONSE_REASONS.
var reasons = map[int][2]string{
	http.StatusNotFound:            {"Not Found", "The resource could not be found."},
	http.StatusRequestTimeout:      {"Request Timeout", "The server has waited too long for the request to be sent by the client."},
	http.StatusConflict:            {"Conflict", "There was a conflict when trying to complete your request."},
	http.StatusUnprocessableEntity: {"Unprocessable Entity", "Unable to process the contained instructions"},
}

func status(code int) answer {
	a := answer{status: code, contentType: typeHTML}
	if words, ok := reasons[code]; ok {
		a.body = "<html><h1>" + words[0] + "</h1><p>" + words[1] + "</p></html>"
	}
	return a
}

// objectName reads the path of a subrequest. Swift: common/request_helpers.py
// get_name_and_placement, validate_internal_obj.
func objectName(p messages.Partition, sent string) (store.ObjectName, *answer) {
	raw, _, _ := strings.Cut(sent, "?")
	path, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(path) {
		a := answer{http.StatusPreconditionFailed, typeHTML, "Invalid UTF8 or contains NULL"}
		return store.ObjectName{}, &a
	}
	name, ok := store.ParseObjectName(path)
	if !ok {
		a := text(http.StatusBadRequest, "Invalid path: "+quote("/"+p.Device+"/"+strconv.FormatUint(uint64(p.Number), 10)+path))
		return store.ObjectName{}, &a
	}
	if why := reserved(name); why != "" {
		a := answer{http.StatusBadRequest, typeHTML, why}
		return store.ObjectName{}, &a
	}
	return name, nil
}

// reserved is what is wrong with the use of NUL, which begins the names that are
// Swift's own, or empty.
func reserved(n store.ObjectName) string {
	const mark = "\x00"
	inside := func(s string) bool { return strings.Contains(s, mark) && !strings.HasPrefix(s, mark) }
	switch {
	case inside(n.Account):
		return "Invalid reserved-namespace account"
	case inside(n.Container):
		return "Invalid reserved-namespace container"
	case strings.HasPrefix(n.Account, "."):
		return "" // accounts of Swift's own services
	case inside(n.Object):
		return "Invalid reserved-namespace object"
	case strings.HasPrefix(n.Container, mark) && !strings.HasPrefix(n.Object, mark):
		return "Invalid user-namespace object in reserved-namespace container"
	case strings.HasPrefix(n.Object, mark) && !strings.HasPrefix(n.Container, mark):
		return "Invalid reserved-namespace object in user-namespace container"
	}
	return ""
}

// requestTime is the version that a subrequest brings.
func requestTime(r *subrequest) (timestamp.Timestamp, *answer) {
	sent, ok := r.headers.Get("x-timestamp")
	if !ok {
		a := text(http.StatusBadRequest, "Missing X-Timestamp header")
		return timestamp.Timestamp{}, &a
	}
	at, err := timestamp.Parse(sent)
	if err != nil {
		a := text(http.StatusBadRequest, "Invalid X-Timestamp header")
		return at, &a
	}
	return at, nil
}
