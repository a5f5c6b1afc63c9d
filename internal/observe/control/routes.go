package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// route is what one path answers to.
type route struct {
	get, post http.HandlerFunc // nil: not this verb
}

// routes are the paths of the API. What is not among them is the page's.
func (s *Server) routes() map[string]route {
	r := map[string]route{
		"/v1/status": {get: s.status},
		"/v1/events": {get: s.events},
		"/healthz":   {get: s.health},
		"/v1/limits": {get: s.settings, post: s.command("limits", func() body { return &limitsBody{} })},
	}
	for name, make := range bodies {
		r["/v1/"+name] = route{post: s.command(name, make)}
	}
	if s.cfg.DryRun != nil {
		r["/v1/dry-run"] = route{post: s.dryRun}
	}
	if s.cfg.Metrics != nil {
		r["/metrics"] = route{get: s.cfg.Metrics.ServeHTTP}
	}
	return r
}

// handler answers for a listener. Commands are taken only where steer is: on the
// unix socket, which has permissions, and which no browser reaches by itself.
func (s *Server) handler(steer bool) http.Handler {
	routes := s.routes()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, known := routes[r.URL.Path]
		if !known && s.cfg.Page != nil && !strings.HasPrefix(r.URL.Path, "/v1/") {
			at, known = route{get: s.cfg.Page.ServeHTTP}, true
		}
		var answer http.HandlerFunc
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			answer = at.get
		case http.MethodPost:
			answer = at.post
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case !steer && r.Method != http.MethodGet && r.Method != http.MethodHead:
			fail(w, http.StatusForbidden, "commands are taken on the control socket only")
		case !known:
			fail(w, http.StatusNotFound, "nothing is at "+strconv.Quote(r.URL.Path))
		case answer == nil:
			w.Header().Set("Allow", at.verbs())
			fail(w, http.StatusMethodNotAllowed, "here only "+at.verbs()+" is answered")
		default:
			answer(w, r)
		}
	})
	// The socket may be forwarded to a port of an operator's machine, where a foreign
	// page in a browser could post to it.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "commands are not taken from pages of other origins")
	}))
	return guard.Handler(h)
}

func (r route) verbs() string {
	var verbs []string
	if r.get != nil {
		verbs = append(verbs, "GET", "HEAD")
	}
	if r.post != nil {
		verbs = append(verbs, "POST")
	}
	return strings.Join(verbs, ", ")
}

// reply answers with a value as JSON.
func reply(w http.ResponseWriter, code int, v any) {
	data, err := encode(v)
	if err != nil {
		code, data = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`+"\n")
	}
	send(w, code, "application/json", data)
}

func send(w http.ResponseWriter, code int, kind string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(data) // who does not take it, has hung up
}

// encode is JSON in one line.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// problem is an answer that is none.
type problem struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, code int, why string) { reply(w, code, problem{why}) }

// wantsText tells which form of the status a request is for. An error is a form
// that there is not.
func wantsText(r *http.Request) (bool, error) {
	switch format := r.URL.Query().Get("format"); format {
	case "":
		accepted := r.Header.Values("Accept")
		has := func(kind string) bool {
			return slices.ContainsFunc(accepted, func(a string) bool { return strings.Contains(a, kind) })
		}
		return has("text/plain") && !has("application/json"), nil
	case "json", "text":
		return format == "text", nil
	default:
		return false, &badRequest{"format is json or text, not " + strconv.Quote(format)}
	}
}

// badRequest is a request that makes no sense.
type badRequest struct{ why string }

func (b *badRequest) Error() string { return b.why }
