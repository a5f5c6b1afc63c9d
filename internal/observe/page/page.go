// Package page is a node as a web page: complete without a script, and kept live by
// one where there is one. The server renders everything; the script only puts parts
// that have changed in the place of the old ones.
package page

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"understudy/internal/observe/status"
)

// Handler answers GET and HEAD with the page, and a browser's EventSource with its
// changes.
func Handler(engine status.Engine) http.Handler {
	s := newStudio(engine)
	viewers := make(chan struct{}, maxViewers)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept")
		switch {
		case r.URL.Path != "/":
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the page can be read only", http.StatusMethodNotAllowed)
		case strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
			stream(w, r, s, viewers)
		default:
			document(w, r, s)
		}
	})
}

func document(w http.ResponseWriter, r *http.Request, s *studio) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	code, body := http.StatusOK, []byte(nil)
	f, err := s.frame(r.Context())
	if err == nil {
		body, err = f.document()
	}
	if err != nil {

		var b bytes.Buffer
		code = http.StatusServiceUnavailable
		h.Set("Retry-After", "5")
		if failed := templates.ExecuteTemplate(&b, "silent", map[string]string{"Why": err.Error()}); failed != nil {
			http.Error(w, err.Error(), code)
			return
		}
		body = b.Bytes()
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the browser may have gone
	}
}
