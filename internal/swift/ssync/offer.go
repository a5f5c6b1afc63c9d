// Package ssync is what two object servers say to each other in an SSYNC: the
// lines of the exchange, and the subrequests that carry objects. It does no I/O.
//
// An SSYNC is one HTTP request with two phases. In the first the sender offers
// objects and the receiver says which parts of them it wants; in the second the
// sender sends those as subrequests, and the receiver says whether all went well.
// Swift: obj/ssync_sender.py, obj/ssync_receiver.py.
package ssync

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"understudy/internal/swift/policy/pytext"
	"understudy/internal/swift/timestamp"
)

// ErrMalformed is in the chain of every error about a line that does not have
// the form that it should have.
var ErrMalformed = errors.New("malformed line")

func malformed(what string, line []byte, why string) error {
	return fmt.Errorf("%w: %s %.200q: %s", ErrMalformed, what, line, why)
}

// Offer is one object that a sender has: its hash, and the times of its parts.
type Offer struct {
	Hash  string              // 32 hex digits
	Data  timestamp.Timestamp // of the data file or the tombstone
	Meta  timestamp.Timestamp // of the newest metadata; zero for none
	CType timestamp.Timestamp // of the newest content type, if newer than Data; zero for none
	// NotDurable marks an erasure coded fragment that has not been committed.
	NotDurable bool
}

// Plain is the offer without what a receiver of Swift 2.30 cannot read: the
// offsets of Meta and CType. Lossy tells whether there was any.
func (o Offer) Plain() (plain Offer, lossy bool) {
	if o.Meta.IsZero() || o.Meta == o.Data {
		return o, false
	}
	lossy = o.Meta.Offset != 0
	o.Meta.Offset = 0
	if o.CType != o.Data {
		lossy = lossy || o.CType.Offset != 0
		o.CType.Offset = 0
	}
	return o, lossy
}

// Append appends the offer as a line without its end. Times of metadata are
// written as hex differences from that of the data; a content type is told only
// together with metadata. Swift: obj/ssync_sender.py encode_missing.
func (o Offer) Append(dst []byte) []byte {
	dst = append(appendQuoted(dst, o.Hash), ' ')
	dst = o.Data.AppendInternal(dst)
	mark := byte(' ')
	if !o.Meta.IsZero() && o.Meta != o.Data {
		dst = o.appendDelta(append(dst, mark, 'm', ':'), o.Meta)
		mark = ','
		if !o.CType.IsZero() && o.CType != o.Data {
			dst = o.appendDelta(append(dst, mark, 't', ':'), o.CType)
		}
	}
	if o.NotDurable {
		dst = append(append(dst, mark), "durable:False"...)
	}
	return dst
}

func (o Offer) appendDelta(dst []byte, t timestamp.Timestamp) []byte {
	dst = strconv.AppendInt(dst, t.Raw-o.Data.Raw, 16)
	if t.Offset != 0 {
		dst = strconv.AppendUint(append(dst, "__"...), t.Offset, 16)
	}
	return dst
}

// ParseOffer reads an offer, of Swift 2.30 or later. Meta and CType are Data when
// they are not told; they do not inherit its offset. What is not understood is
// left out, for later versions to add to. Swift: obj/ssync_receiver.py decode_missing.
func ParseOffer(line []byte) (Offer, error) {
	fields, err := split("offer", line)
	if err != nil {
		return Offer{}, err
	}
	if len(fields) < 2 {
		return Offer{}, malformed("offer", line, "no timestamp")
	}
	o := Offer{Hash: unquote(fields[0])}
	if o.Data, err = timestamp.Parse(unquote(fields[1])); err != nil {
		return Offer{}, malformed("offer", line, err.Error())
	}
	o.Meta, o.CType = o.Data, o.Data
	if len(fields) == 2 {
		return o, nil
	}
	for item := range strings.SplitSeq(unquote(fields[2]), ",") {
		key, value, ok := strings.Cut(item, ":")
		if !ok {
			continue
		}
		if strings.Contains(value, ":") {
			return Offer{}, malformed("offer", line, "two colons")
		}
		switch key {
		case "m":
			o.Meta, ok = o.add(value)
		case "t":
			o.CType, ok = o.add(value)
		case "durable":
			o.NotDurable = !pytext.True(value)
		}
		if !ok {
			return Offer{}, malformed("offer", line, "bad difference")
		}
	}
	return o, nil
}

// maxRaw is the first time that Swift's texts have no room for.
const maxRaw = 1_000_000_000_000_000

// add reads a hex difference from Data, with an offset behind two underscores.
func (o Offer) add(s string) (timestamp.Timestamp, bool) {
	s, offset, _ := strings.Cut(s, "__")
	delta, err := strconv.ParseInt(s, 16, 64)
	if err != nil || delta < -maxRaw || delta > maxRaw {
		return timestamp.Timestamp{}, false
	}
	t := timestamp.Timestamp{Raw: o.Data.Raw + delta}
	if offset != "" {
		if t.Offset, err = strconv.ParseUint(offset, 16, 64); err != nil {
			return timestamp.Timestamp{}, false
		}
	}
	return t, t.Raw >= 0 && t.Raw < maxRaw
}

// ValidHash tells whether a name can be that of an object's directory.
func ValidHash(name string) bool {
	if len(name) != 32 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// split cuts a line of ASCII at blanks.
func split(what string, line []byte) ([]string, error) {
	if !ascii(line) {
		return nil, malformed(what, line, "not ASCII")
	}
	return strings.FieldsFunc(string(line), func(r rune) bool { return r < 0x80 && blank(byte(r)) }), nil
}

// blank tells what Python's str.split takes for one.
func blank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' || c >= 0x1c && c <= 0x1f }

func ascii(b []byte) bool {
	return bytes.IndexFunc(b, func(r rune) bool { return r >= 0x80 }) < 0
}

// appendQuoted appends a path or word as Python's urllib.parse.quote does.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_.-~/", c) >= 0:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return dst
}

// unquote undoes that. As in Python a percent sign without two hex digits stands
// for itself.
func unquote(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
