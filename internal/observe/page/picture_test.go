package page_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"understudy/internal/observe/status/statustest"
)

var (
	update = flag.Bool("update", false, "take the pictures of docs/ anew")
	into   = flag.String("pictures", "", "a folder for pictures in all sizes, to look at")
)

func TestPictures(t *testing.T) {
	if !*update && *into == "" {
		t.Skip("taken by hand: go test ./internal/observe/page -run TestPictures -update")
	}
	b := open(t)
	for _, theme := range []string{"light", "dark"} {
		if *update {
			shoot(t, b, theme, 12, 1280, 900, filepath.Join("../../../docs", "status-page-"+theme+".png"))
		}
		for _, devices := range []int{3, 12, 100} {
			for _, width := range []int64{1280, 390} {
				if *into != "" {
					shoot(t, b, theme, devices, width, 1000, filepath.Join(*into, fmt.Sprintf("%s-%d-%d.png", theme, devices, width)))
				}
			}
		}
	}
}

func shoot(t *testing.T, b *browser, theme string, devices int, width, height int64, file string) {
	t.Helper()
	var png []byte
	b.do(t, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}),
		chromedp.EmulateViewport(width, height), chromedp.Navigate(serve(t, statustest.NewEngine(statustest.Node(devices, noon)))+"/"))
	b.wait(t, `document.getElementById("link").textContent === "live"`)
	b.do(t, chromedp.Evaluate(`document.querySelector("#device-d1 details").open = true`, nil), chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
}
