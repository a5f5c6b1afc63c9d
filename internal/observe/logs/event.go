package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/rs/zerolog"
)

// event is a log event, read back from zerolog's JSON.
type event struct {
	severity severity
	swift    bool
	message  string
	fields   []field // in order, without level, message, swift, time and error
	err      *field
}

// field is one key and its JSON value.
type field struct {
	key   string
	value json.RawMessage
}

var errNotObject = errors.New("read log event: not a JSON object")

// decode reads one event. Of a key that appears twice both are kept, except that
// the last level, message, marker and error win.
func decode(p []byte) (event, error) {
	e := event{severity: info}
	d := json.NewDecoder(bytes.NewReader(p))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return e, errNotObject
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return e, errNotObject
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return e, errNotObject
		}
		e.set(field{key, value})
	}
	return e, nil
}

func (e *event) set(f field) {
	switch f.key {
	case levelField:
		if s, ok := severities[f.text()]; ok {
			e.severity = s
		}
	case zerolog.MessageFieldName:
		e.message = f.text()
	case swiftField:
		e.swift = string(f.value) == "true"
	case zerolog.TimestampFieldName:
	case errorField:
		e.err = &f
	default:
		e.fields = append(e.fields, f)
	}
}

// text is a string's own value, and of anything else its JSON.
func (f field) text() string {
	var s string
	if len(f.value) > 0 && f.value[0] == '"' && json.Unmarshal(f.value, &s) == nil {
		return s
	}
	return string(f.value)
}

// appendText writes `message key=value …`, or of Swift's own lines the message.
// Line breaks are kept.
func (e event) appendText(b []byte) []byte {
	b = append(b, e.message...)
	if e.swift {
		return b
	}
	for _, f := range e.fields {
		b = f.appendText(b)
	}
	if e.err != nil {
		b = e.err.appendText(b)
	}
	return b
}

func (f field) appendText(b []byte) []byte {
	if len(b) > 0 {
		b = append(b, ' ')
	}
	b = append(append(b, f.key...), '=')
	s := f.text()
	if s == "" || strings.ContainsFunc(s, needsQuotes) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

func needsQuotes(r rune) bool {
	return r == '"' || r == '=' || r == '\\' || unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
}
