package page_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"understudy/internal/observe/page"
	"understudy/internal/observe/status/statustest"
)

// A page is open in a browser while a disk stalls: it shows that without being
// loaded anew, and what the reader has opened, typed and focused stays. Names that
// try to be markup are text in the first page and in what comes later.
func TestLive(t *testing.T) {
	evil := `<img src=x onerror="document.title='pwned'">"'`
	report := statustest.Node(3, noon)
	report.Devices[2].Name = evil
	e := statustest.NewEngine(report)
	b := open(t)
	b.do(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(serve(t, e)+"/"))
	b.wait(t, `document.getElementById("link").textContent === "live"`)
	b.do(t, chromedp.Evaluate(`window.same = true; document.querySelector("#device-d1 details").open = true; document.querySelector("#device-d1 summary").focus()`, nil))
	if got := b.text(t, `document.getElementById("device-d1").dataset.state`); got != "running" {
		t.Fatalf("d1 is %s", got)
	}

	next := statustest.Node(3, noon.Add(1e9))
	next.Devices[2].Name = evil
	statustest.Stall(next, "d2")
	next.Devices[1].Why = evil
	e.Show(next)
	b.wait(t, `document.querySelector("#device-d2 .st").textContent === "stalled"`)
	b.wait(t, `document.querySelector("tbody").id === "device-d2"`) // trouble comes first
	for _, check := range []string{
		`window.same`, `document.querySelector("#device-d1 details").open`,
		`document.activeElement === document.querySelector("#device-d1 summary")`,
		`document.querySelector("#verdict").textContent.includes("degraded")`,
		`document.title.startsWith("! ")`, `!document.querySelector("img")`,
		`document.querySelector("#device-d2 .why").textContent.includes("<img src=x")`,
		`getComputedStyle(document.querySelector("#device-d1 .more")).display === "table-row"`,
	} {
		var ok bool
		if b.do(t, chromedp.Evaluate(check, &ok)); !ok {
			t.Errorf("not true after the change: %s", check)
		}
	}

	b.do(t, chromedp.SendKeys("#filter", "trouble"))
	b.wait(t, `document.getElementById("found").textContent === "1 of 3"`)
	e.Fail(errSilent)
	b.wait(t, `document.getElementById("link").textContent.startsWith("the engine does not answer; data of 12:00:01")`)
	e.Show(next)
	b.wait(t, `document.getElementById("link").textContent === "live"`)
	b.quiet(t)
}

// The connection of an open page breaks, and there is no server for a while: the page
// says that what it shows is old, and goes on by itself when there is one again.
func TestConnectionLost(t *testing.T) {
	e := statustest.NewEngine(statustest.Node(3, noon))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	first := &http.Server{Handler: page.Handler(e)}
	go func() { _ = first.Serve(l) }()
	b := open(t)
	b.do(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate("http://"+address+"/"))
	b.wait(t, `document.getElementById("link").textContent === "live"`)
	b.do(t, chromedp.Evaluate(`window.same = true`, nil))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	b.wait(t, `/^connection lost; data is [0-9]+ s old$/.test(document.getElementById("link").textContent)`)
	if got := b.text(t, `document.getElementById("link").className`); got != "lost" {
		t.Errorf("the link is %s", got)
	}

	next := statustest.Node(3, noon.Add(1e9))
	statustest.Stall(next, "d2")
	e.Show(next)
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	second := &http.Server{Handler: page.Handler(e)}
	t.Cleanup(func() { _ = second.Close() })
	go func() { _ = second.Serve(l) }()
	b.wait(t, `document.getElementById("link").textContent === "live"`)
	b.wait(t, `document.querySelector("#device-d2 .st").textContent === "stalled"`)
	var same bool
	if b.do(t, chromedp.Evaluate(`window.same`, &same)); !same {
		t.Error("the page was loaded anew")
	}
}

// Without a script everything is there, and devices open.
func TestWithoutScript(t *testing.T) {
	b := open(t)
	b.do(t, emulation.SetScriptExecutionDisabled(true), chromedp.EmulateViewport(390, 800),
		chromedp.Navigate(serve(t, statustest.NewEngine(statustest.Node(12, noon)))+"/"))
	var text string
	b.do(t, chromedp.Click("#device-d1 summary", chromedp.ByQuery), chromedp.Text("body", &text, chromedp.ByQuery))
	for _, want := range []string{"degraded", "d5", "stalled", "What to do", "storage-07.example.net", "last complete pass", "10.0.0.9:6200", "half-open"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "Filter") {
		t.Error("a filter is shown that can do nothing")
	}
	b.quiet(t)
}
