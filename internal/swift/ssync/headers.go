package ssync

import (
	"strings"
	"unicode"

	"understudy/internal/swift/metadata"
)

// Headers are those of a subrequest as a receiver gets them, in the order in which
// they came, with names in lower case.
//
// Swift keeps headers by names in which "-" and "_" are one letter, and says it was
// told of the last value for each: x-a_b and x-a-b are one header, first seen where
// the first of them stood.
type Headers struct {
	sent  []string // names as they came, for what is stored as it was sent
	names []string // in the form that Swift keeps, without repetition
	value map[string]string
}

// Add adds a header; the name must be in lower case.
func (h *Headers) Add(name, value string) {
	if h.value == nil {
		h.value = map[string]string{}
	}
	h.sent = append(h.sent, name)
	key := environ(name)
	if _, again := h.value[key]; !again {
		h.names = append(h.names, key)
	}
	h.value[key] = value
}

// Len is how many headers came.
func (h *Headers) Len() int { return len(h.sent) }

// Get returns a header's value.
func (h *Headers) Get(name string) (string, bool) {
	v, ok := h.value[environ(name)]
	return v, ok
}

// Each calls f with each header, under the name that Swift gives it.
func (h *Headers) Each(f func(name, value string)) {
	for _, key := range h.names {
		f(titled(strings.ReplaceAll(key, "_", "-")), h.value[key])
	}
}

// environ is a name as WSGI keeps it. Swift: common/swob.py header_to_environ_key.
func environ(name string) string {
	b := []byte(name)
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c == '-':
			b[i] = '_'
		}
	}
	return string(b)
}

// titled is bytes.title(): the first of some ASCII letters in a row is large.
func titled(name string) string {
	b, word := []byte(name), false
	for i, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		switch {
		case letter && !word:
			b[i] = c &^ 0x20
		case letter:
			b[i] = c | 0x20
		}
		word = letter
	}
	return string(b)
}

// storedName is str.title() of a name in lower case, whose bytes Python takes for
// the characters of latin-1.
func storedName(name string) string {
	b, word := []byte(name), false
	for i, c := range b {
		r := rune(c)
		cased := unicode.IsLower(r) || unicode.IsUpper(r) || c == 0xaa || c == 0xba
		to := unicode.ToLower(r)
		if !word {
			to = unicode.ToTitle(r)
		}
		if to <= 0xff { // three letters have no large form in latin-1
			b[i] = byte(to)
		}
		word = cased
	}
	return string(b)
}

// kept tells whether a header is metadata of an object for any object server.
func kept(name string, system bool) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"x-object-meta-", "x-object-transient-sysmeta-", "x-object-sysmeta-"} {
		if len(name) > len(prefix) && strings.HasPrefix(name, prefix) {
			return system || prefix != "x-object-sysmeta-"
		}
	}
	return false
}

// PutMetadata is what an object server stores of a PUT subrequest: first is what it
// knows itself, then come the headers that are metadata, and then all others as they
// were sent, but for those that are for it. Swift: obj/server.py
// _get_request_metadata, obj/ssync_receiver.py updates.
func (h *Headers) PutMetadata(first metadata.Metadata) metadata.Metadata {
	return h.store(first, true)
}

// PostMetadata is that of a POST subrequest. Swift: obj/server.py POST.
func (h *Headers) PostMetadata(first metadata.Metadata) metadata.Metadata {
	return h.store(first, false)
}

func (h *Headers) store(m metadata.Metadata, system bool) metadata.Metadata {
	at := make(map[string]int, len(m)+len(h.sent))
	for i, p := range m {
		at[p.Name] = i
	}
	put := func(name, value string) {
		i, ok := at[name]
		if !ok {
			at[name] = len(m)
			m = append(m, metadata.Pair{Name: name, Value: value})
			return
		}
		m[i].Value = value
	}
	h.Each(func(name, value string) {
		if kept(name, system) {
			put(name, value)
		}
	})
	for _, name := range h.sent {
		if name == "etag" || name == "x-backend-no-commit" {
			continue
		}
		value, _ := h.Get(name)
		put(storedName(name), value)
	}
	return m
}
