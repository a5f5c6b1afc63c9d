package fault

import (
	"path"
	"strings"
)

// Event is one thing that is about to happen at a seam. Only the fields that are keys
// of its place count (see Places); a key that is not known is "".
type Event struct {
	Place Place

	Node      string // whose part this is; From of Net
	Device    string
	Op        string
	Path      string // below the device, or longer: only its end is compared
	Peer      string // the other node; To of Net
	Port      string
	Partition string
	Verb      string // REPLICATE, SSYNC, SURVEY
	Module    string
	Kind      string // of actor: supervisor, device, partition …
	Actor     string // its name
	Message   string // its type, without the package
}

func (e *Event) key(name string) string {
	switch name {
	case "node", "from":
		return e.Node
	case "device":
		return e.Device
	case "op":
		return e.Op
	case "path":
		return e.Path
	case "peer", "to":
		return e.Peer
	case "port":
		return e.Port
	case "partition":
		return e.Partition
	case "verb":
		return e.Verb
	case "module":
		return e.Module
	case "kind":
		return e.Kind
	case "actor":
		return e.Actor
	case "message":
		return e.Message
	}
	return ""
}

// stream names what the event is one of: events of one stream have an order, those
// of two have none.
func (e *Event) stream(h hash) hash {
	h = h.text(string(e.Place))
	for _, v := range [...]string{
		e.Node, e.Device, e.Op, e.Path, e.Peer, e.Port, e.Partition, e.Verb, e.Module, e.Kind, e.Actor, e.Message,
	} {
		h = h.text(v)
	}
	return h
}

// For tells whether a fault is for events one of whose keys has this value, as far as that
// key goes.
func (f Fault) For(key, value string) bool {
	for _, m := range f.Where {
		if m.Key == key && !m.fits(value) {
			return false
		}
	}
	return true
}

// fits tells whether a value is meant.
func (m Match) fits(value string) bool {
	for rest, more := m.Pattern, true; more; {
		var alternative string
		alternative, rest, more = strings.Cut(rest, "|")
		if matches(m.Key, alternative, value) {
			return true
		}
	}
	return false
}

// matches compares with one alternative. A pattern of a path is compared with as many
// of the last names of the path as it has itself.
func matches(key, pattern, value string) bool {
	if key == "path" {
		value = tail(value, strings.Count(pattern, "/"))
	}
	ok, err := path.Match(pattern, value)
	return ok && err == nil
}

// tail is the end of a path with so many slashes in it.
func tail(p string, slashes int) string {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != '/' {
			continue
		}
		if slashes == 0 {
			return p[i+1:]
		}
		slashes--
	}
	return p
}
