package cluster

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// What an Op does to an object. Every other kind is a kind of junk, see lab.py spoil.
const (
	Put    = "put"
	Post   = "post"
	Delete = "delete"
)

// Op is one thing done to one object on some of its nodes only, so that the nodes
// disagree. Copies are positions in Swift's node order: 0 to 2 are the primaries,
// the others are handoffs.
type Op struct {
	Kind    string            `json:"kind"`
	Policy  int               `json:"policy"`
	Name    string            `json:"name"` // /account/container/object
	At      string            `json:"at"`   // Swift's internal timestamp, maybe with an offset
	Size    int               `json:"size"`
	Body    int               `json:"body"` // tells bodies of equal size apart
	Headers map[string]string `json:"headers"`
	Copies  []int             `json:"copies"`
	PY2     bool              `json:"py2"` // metadata as Python 2 pickled it
}

// Device names one device of the cluster.
type Device struct{ IP, Name string }

// Landed tells where an Op took place.
type Landed struct {
	Partition int         `json:"partition"`
	Devices   [][2]string `json:"landed"` // ip, device
}

// History is what was done to a cluster's objects: it knows what must exist.
type History struct {
	ops []Op
}

// Write applies operations with Swift's DiskFile classes and remembers them. On the
// devices in missing nothing is written.
func (c *Cluster) Write(ctx context.Context, h *History, ops []Op, missing ...Device) ([]Landed, error) {
	gone := [][2]string{}
	for _, d := range missing {
		gone = append(gone, [2]string{d.IP, d.Name})
	}
	var landed []Landed
	request := map[string]any{"roots": c.roots(), "ops": ops, "missing": gone}
	if err := c.helper(ctx, "write", request, &landed); err != nil {
		return nil, err
	}
	for i, op := range ops {
		if len(landed[i].Devices) > 0 {
			h.ops = append(h.ops, op)
		}
	}
	return landed, nil
}

func (c *Cluster) roots() map[string]string {
	roots := map[string]string{}
	for _, n := range c.Nodes {
		roots[n.IP] = n.DevicesRoot()
	}
	return roots
}

// ObjectKey names an object of a policy.
type ObjectKey struct {
	Policy int    `json:"policy"`
	Name   string `json:"name"`
}

// Object is how an object must end up on every primary.
type Object struct {
	Deleted  bool // a tombstone, or nothing at all once that was reclaimed
	At       string
	Size     int
	MD5      string
	Type     string
	UserMeta map[string]string // X-Object-Meta-*
}

// Expect folds the history: the newest of each kind wins, whatever node saw it.
func (h *History) Expect() map[ObjectKey]Object {
	byObject := map[ObjectKey][]Op{}
	for _, op := range h.ops {
		switch op.Kind {
		case Put, Post, Delete:
			k := ObjectKey{op.Policy, op.Name}
			byObject[k] = append(byObject[k], op)
		}
	}
	objects := map[ObjectKey]Object{}
	for k, ops := range byObject {
		if o, ok := fold(ops); ok {
			objects[k] = o
		}
	}
	return objects
}

func fold(ops []Op) (Object, bool) {
	put, tombstone := newest(ops, Put, ""), newest(ops, Delete, "")
	switch {
	case put == nil && tombstone == nil:
		return Object{}, false
	case put == nil, tombstone != nil && tombstone.At >= put.At:
		return Object{Deleted: true, At: tombstone.At}, true
	}
	o := Object{
		At: put.At, Size: put.Size, MD5: bodyMD5(put.Body, put.Size),
		Type: put.Headers["Content-Type"], UserMeta: userMeta(put.Headers),
	}
	if post := newest(ops, Post, ""); post != nil && post.At > put.At {
		o.At, o.UserMeta = post.At, userMeta(post.Headers)
	}
	if typed := newest(ops, Post, "Content-Type"); typed != nil && typed.At > put.At {
		o.Type = typed.Headers["Content-Type"]
	}
	return o, true
}

// newest is the latest operation of a kind that has the header, if one is named.
// Internal timestamps have a fixed width, so they compare as text.
func newest(ops []Op, kind, header string) *Op {
	var best *Op
	for i, op := range ops {
		if header != "" && op.Headers[header] == "" {
			continue
		}
		if op.Kind == kind && (best == nil || op.At > best.At) {
			best = &ops[i]
		}
	}
	return best
}

func userMeta(headers map[string]string) map[string]string {
	meta := map[string]string{}
	for k, v := range headers {
		if strings.HasPrefix(k, "X-Object-Meta-") {
			meta[k] = v
		}
	}
	return meta
}

// bodyMD5 is the md5 of what lab.py body_of makes.
func bodyMD5(seed, size int) string {
	block := sha256.Sum256([]byte(strconv.Itoa(seed)))
	sum := md5.New()
	for left := size; left > 0; left -= len(block) {
		sum.Write(block[:min(left, len(block))])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Timestamp writes a time in seconds as Swift's internal timestamp.
func Timestamp(seconds float64, offset int) string {
	text := fmt.Sprintf("%016.5f", seconds)
	if offset != 0 {
		text += fmt.Sprintf("_%016x", offset)
	}
	return text
}
