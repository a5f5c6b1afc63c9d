package page_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"understudy/internal/observe/status/statustest"
)

// What a reader needs who does not see the page, or not well: everything has a name,
// and text stands out from what is behind it by 4.5 to 1 (WCAG 2.1, AA) in both themes.
const audit = `(() => {
  const bad = [];
  const number = (c) => (c.match(/[\d.]+/g) || []).map(Number);
  const light = (c) => { const [r, g, b] = number(c).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!(number(c).length === 4 && number(c)[3] === 0)) return c; } return "rgb(255, 255, 255)"; };
  for (const e of document.querySelectorAll("body *")) {
    if (!e.checkVisibility() || e.closest("svg")) continue;
    if ([...e.childNodes].some((n) => n.nodeType === 3 && n.nodeValue.trim())) {
      const a = light(getComputedStyle(e).color), b = light(behind(e)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) bad.push("contrast " + ratio.toFixed(2) + ": " + e.nodeName + "." + e.className + " " + e.textContent.slice(0, 20));
    }
  }
  for (const e of document.querySelectorAll("input")) if (!e.labels.length) bad.push("no label: " + e.outerHTML);
  for (const e of document.querySelectorAll("progress, [role=img]")) if (!e.getAttribute("aria-label")) bad.push("no name: " + e.outerHTML);
  for (const e of document.querySelectorAll("table")) if (!e.querySelector("thead th[scope=col]")) bad.push("no header: " + e.className);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) bad.push("id twice: " + id);
  for (const e of document.querySelectorAll("[aria-labelledby]")) if (!document.getElementById(e.getAttribute("aria-labelledby"))) bad.push("labelled by nothing: " + e.id);
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3")) { const n = +h.nodeName[1]; if (n > level + 1) bad.push("heading left out before " + h.textContent); level = n; }
  for (const tag of ["header", "main", "footer", "h1", "html[lang]"]) if (document.querySelectorAll(tag).length !== 1) bad.push("not one " + tag);
  if (document.documentElement.scrollWidth > innerWidth) bad.push("wider than the window: " + document.documentElement.scrollWidth);
  return [...new Set(bad)];
})()`

func TestAccess(t *testing.T) {
	b := open(t)
	report := statustest.Node(24, noon)
	report.Settings.Stored = true
	url := serve(t, statustest.NewEngine(report))
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			t.Run(fmt.Sprint(theme, width), func(t *testing.T) {
				b.do(t, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}),
					chromedp.EmulateViewport(width, 900), chromedp.Navigate(url+"/"))
				b.wait(t, `document.getElementById("link").textContent === "live"`)
				b.do(t, chromedp.Evaluate(`for (const d of document.querySelectorAll("details")) d.open = true`, nil))
				var found []string
				b.do(t, chromedp.Evaluate(audit, &found))
				for _, f := range found {
					t.Error(f)
				}
			})
		}
	}
	b.quiet(t)
}
