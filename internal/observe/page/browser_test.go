package page_test

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"understudy/internal/observe/page"
	"understudy/internal/observe/status/statustest"
)

const chromium = "/usr/bin/chromium"

// browser is one headless Chromium and what it has complained about.
type browser struct {
	context.Context
	mu         sync.Mutex
	complaints []string
}

// open starts a browser with an empty profile, which ends with the test. Without one
// the test fails in CI and is left out elsewhere, aloud.
func open(t testing.TB) *browser {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s: test/install.sh installs it", chromium)
		}
		t.Skipf("NOT TESTED: no %s: test/install.sh installs it", chromium)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until it has ended and its profile is gone
	b := &browser{Context: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			b.complaints = append(b.complaints, "console: "+string(e.Type))
		case *log.EventEntryAdded: // also what the content security policy forbids
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	})
	b.do(t, log.Enable())
	return b
}

func (b *browser) do(t testing.TB, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(b, actions...); err != nil {
		t.Fatal(err)
	}
}

// text is what an expression of the page's says.
func (b *browser) text(t testing.TB, expression string) string {
	t.Helper()
	var s string
	b.do(t, chromedp.Evaluate(expression, &s))
	return s
}

func (b *browser) wait(t testing.TB, expression string) {
	t.Helper()
	b.do(t, chromedp.Poll(expression, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(10*time.Second)))
}

func (b *browser) quiet(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(b.complaints, "\n"))
	}
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func serve(t testing.TB, e *statustest.Engine) string {
	t.Helper()
	s := httptest.NewServer(page.Handler(e))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}
