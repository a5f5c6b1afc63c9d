package page_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"understudy/internal/observe/page"
	"understudy/internal/observe/status"
	"understudy/internal/observe/status/statustest"
)

var errSilent = errors.New("no <b>answer</b>")

func get(t *testing.T, e status.Engine, method, accept string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	page.Handler(e).ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

// What comes from peers, rings and disks is text wherever it is shown.
func TestEverythingIsEscaped(t *testing.T) {
	const evil = `</script><script>alert(1)</script>" onload='x' javascript:`
	r := statustest.Node(1, noon)
	r.Program = status.Program{Name: evil, Version: evil, Node: evil, Config: evil}
	r.Verdict = status.Verdict{State: evil, Summary: evil, Action: evil}
	d := &r.Devices[0]
	d.Name, d.State, d.Disk, d.Why, d.Action, d.Pass.Cut = evil, evil, evil, evil, evil, evil
	d.Failures, d.LastError = []status.Cause{{Why: evil, Count: 1}}, &status.Trouble{Text: evil}
	d.InFlight = []status.Job{{Kind: evil, Phase: evil, Peer: evil}}
	d.History[0].Cut, d.Peers = evil, map[string]int{evil: 1}
	d.Paused = &status.Pause{}
	r.Policies = []status.Policy{{Name: evil, State: evil, Why: evil}}
	r.Peers = []status.Peer{{Name: evil, Lane: evil, Breaker: evil, Why: evil}}
	r.Events = []status.Event{{Kind: evil, Subject: evil, Directive: evil, Why: evil}}
	r.Settings.Profile = evil
	_, body := get(t, statustest.NewEngine(r), "GET", "*/*")
	if n := strings.Count(body, "<script>"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if strings.Contains(body, `" onload`) || strings.Contains(body, "' onload") {
		t.Error("a quote comes through")
	}
	if strings.Contains(body, "ZgotmplZ") {
		t.Error("html/template has refused a value")
	}
}

func TestAnswers(t *testing.T) {
	e := statustest.NewEngine(statustest.Node(0, noon))
	answer, body := get(t, e, "GET", "*/*")
	if answer.StatusCode != 200 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, "</html>") {
		t.Errorf("GET: %d %q", answer.StatusCode, body)
	}
	if csp := answer.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	if answer, body := get(t, e, "HEAD", "text/html"); answer.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d %q", answer.StatusCode, body)
	}
	if answer, _ := get(t, e, "POST", "*/*"); answer.StatusCode != 405 {
		t.Errorf("POST: %d", answer.StatusCode)
	}
	e = statustest.NewEngine(nil)
	e.Fail(errSilent)
	if answer, body := get(t, e, "GET", "*/*"); answer.StatusCode != 503 || !strings.Contains(body, "no &lt;b&gt;answer") {
		t.Errorf("without an engine: %d %q", answer.StatusCode, body)
	}
}

func BenchmarkPage(b *testing.B) {
	report := statustest.Node(100, noon)
	for b.Loop() {
		w := httptest.NewRecorder() // a handler of its own, so that nothing is kept
		page.Handler(statustest.NewEngine(report)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
