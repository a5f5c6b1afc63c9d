package page

import (
	"crypto/sha256"
	_ "embed" // the three parts of the page
	"encoding/base64"
	"encoding/hex"
	"html/template"
	"net/url"

	"understudy/internal/observe/status"
)

//go:embed page.html
var markup string

//go:embed page.css
var style string

//go:embed page.js
var script string

var templates = template.Must(template.New("page").Parse(markup))

// policy is the Content-Security-Policy: what the page consists of is named by its
// hash, it may ask this server only, and nobody may frame it.
var policy = "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) +
	"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// build names this version of the page. One that is open in a browser loads itself
// anew when the program has been replaced.
var build = func() string {
	sum := sha256.Sum256([]byte(markup + style + script))
	return hex.EncodeToString(sum[:8])
}()

func hash(part string) string {
	sum := sha256.Sum256([]byte(part))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// icon of the browser's tab: one form for each state, so that it needs no colour.
func icon(s status.State) template.URL {
	shape := map[status.State]string{
		status.Healthy:  `<circle cx="8" cy="8" r="7" fill="#1a7f4b"/>`,
		status.Paused:   `<path d="M2 1h4v14H2zM10 1h4v14h-4z" fill="#7a5af0"/>`,
		status.Degraded: `<path d="M8 1l7.5 14H.5z" fill="#d98a00"/>`,
		status.Failing:  `<path d="M3 1l5 5 5-5 2 2-5 5 5 5-2 2-5-5-5 5-2-2 5-5-5-5z" fill="#d33"/>`,
	}[s]
	svg := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">` + shape + `</svg>`
	return template.URL("data:image/svg+xml," + url.PathEscape(svg)) // made of constants
}
