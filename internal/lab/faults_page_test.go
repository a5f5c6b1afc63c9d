package lab

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"understudy/internal/observe/page"
	"understudy/internal/observe/status"
)

const chromium = "/usr/bin/chromium"

// inBrowser looks at an engine's page in a real browser while a plan is applied: the banner
// comes without the page being loaded anew, is the first that is seen, and goes when the
// plan ends by itself. UNDERSTUDY_PICTURES names a folder for a picture of it.
func inBrowser(t *testing.T, e status.Engine, apply func()) {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s: test/install.sh installs it", chromium)
		}
		t.Logf("NOT TESTED: no %s: test/install.sh installs it", chromium)
		return
	}
	s := httptest.NewServer(page.Handler(e))
	defer s.Close()
	defer s.CloseClientConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU)...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	defer func() { _ = chromedp.Cancel(ctx) }() // waits until it has ended
	poll := func(expression string) chromedp.Action {
		return chromedp.Poll(expression, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(30*time.Second))
	}
	var top float64
	var picture []byte
	must(t, chromedp.Run(ctx,
		chromedp.EmulateViewport(1280, 500), chromedp.Navigate(s.URL+"/"), poll(`document.getElementById("link").textContent === "live"`),
		chromedp.Evaluate(`window.same = true`, nil), poll(`!document.querySelector("section.faults")`)))
	apply()
	must(t, chromedp.Run(ctx,
		poll(`document.querySelector("section.faults")?.textContent.includes("FAULT PLAN IN FORCE")`), poll(`document.title.startsWith("FAULTS! ")`),
		chromedp.Evaluate(`document.querySelector("section.faults").getBoundingClientRect().top`, &top), chromedp.CaptureScreenshot(&picture),
		poll(`!document.querySelector("section.faults") && !document.title.startsWith("FAULTS!")`), poll(`window.same`)))
	if top > 200 {
		t.Errorf("the banner begins at %.0f pixels", top)
	}
	if dir := os.Getenv("UNDERSTUDY_PICTURES"); dir != "" {
		must(t, os.WriteFile(filepath.Join(dir, "faults.png"), picture, 0o600))
	}
}
