package server

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
)

// The content types of Swift's answers.
const (
	typeHTML = "text/html; charset=UTF-8"
	typeText = "text/plain"
)

// answer is a whole response.
type answer struct {
	status      int
	contentType string
	body        string
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	// No error: a peer that has gone needs no answer.
	_, _ = io.WriteString(w, a.body)
}

// page is the body that Swift gives to a status of its own.
// Swift: common/swob.py RESPONSE_REASONS.
func page(status int, text string) answer {
	return answer{status, typeHTML, fmt.Sprintf("<html><h1>%s</h1><p>%s</p></html>", http.StatusText(status), text)}
}

// unavailable says that a device is missing or unmounted. Peers then put a copy
// elsewhere.
func unavailable(device string) answer {
	return page(http.StatusInsufficientStorage, "There was not enough space to save the resource. Drive: "+html.EscapeString(device))
}
