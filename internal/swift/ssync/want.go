package ssync

import "strings"

// Want is what a receiver lacks of an offered object.
type Want struct {
	Hash string
	Data bool // the data file or the tombstone
	Meta bool // the metadata of POSTs
	// Legacy marks an old receiver, which takes data only: what it does not ask
	// for says nothing about what it has.
	Legacy bool
}

// Append appends the want as a line without its end.
// Swift: obj/ssync_receiver.py encode_wanted.
func (w Want) Append(dst []byte) []byte {
	dst = appendQuoted(dst, w.Hash)
	if w.Legacy {
		return dst
	}
	dst = append(dst, ' ')
	if w.Data {
		dst = append(dst, 'd')
	}
	if w.Meta {
		dst = append(dst, 'm')
	}
	return dst
}

// ParseWant reads a want. Swift: obj/ssync_sender.py decode_wanted.
func ParseWant(line []byte) (Want, error) {
	fields, err := split("want", line)
	if err != nil {
		return Want{}, err
	}
	if len(fields) == 0 {
		return Want{}, malformed("want", line, "no hash")
	}
	w := Want{Hash: unquote(fields[0])}
	if len(fields) > 1 {
		w.Data = strings.Contains(fields[1], "d")
		w.Meta = strings.Contains(fields[1], "m")
	}
	if !w.Data && !w.Meta {
		w.Data, w.Legacy = true, true
	}
	return w, nil
}
