package native

import (
	"encoding/binary"
	"fmt"
	"time"

	"understudy/messages"
)

// Version is that of the format. A body of another version is refused.
const Version = 1

// How the lane is offered and asked for over HTTP.
const (
	Method  = "SURVEY"
	Path    = "/"
	Header  = "X-Understudy-Lane"    // of each answer of a node that takes surveys, and of each survey
	Offer   = "survey/1"             // its value
	Refusal = "X-Understudy-Refusal" // of an answer 409: Other or Rings
	Content = "application/x-understudy-survey"
)

// What a Refusal is about.
const (
	OtherCluster = "cluster" // swift.conf hashes names otherwise
	OtherRing    = "ring"    // one side has an older ring
)

// Bounds of a request.
const (
	MaxPartitions = 4096
	MaxGroups     = 1024
	MaxRings      = 256
	MaxRequest    = requestHead + MaxRings*ringSize + MaxGroups*(groupHead+maxName) + MaxPartitions*entrySize

	maxName     = 255
	requestHead = 4 + 1 + 32 + 4 + 2 + 2
	ringSize    = 4 + 8
	groupHead   = 1 + 4 + 2
	entrySize   = 4 + 16

	requestMark = "USQ\n"
)

// Request asks a node which of some partitions its disks hold otherwise. Without
// groups it only asks whether the nodes may work together.
type Request struct {
	Cluster Cluster
	Within  time.Duration // the answer should come within this time; whole milliseconds
	Rings   []Ring        // by policy
	Groups  []Group       // by device, then policy
}

// Ring tells the version of a policy's ring.
type Ring struct {
	Policy  uint32
	Version uint64 // of the ring's builder; 0: not known, not compared
}

// Group is the partitions of one policy on one device of the node that is asked.
type Group struct {
	Device  string
	Policy  uint32 // one of Rings
	Entries []Entry
}

// Entry is a partition as the asker has it.
type Entry struct {
	Partition uint32
	Digest    messages.Digest
}

// Partitions is how many the request is about.
func (q *Request) Partitions() (n int) {
	for _, g := range q.Groups {
		n += len(g.Entries)
	}
	return n
}

// Encode writes the request. Its order and bounds are the caller's duty: the other
// side refuses what is not in order.
func (q *Request) Encode() []byte {
	b := make([]byte, 0, requestHead+len(q.Rings)*ringSize+len(q.Groups)*(groupHead+16)+q.Partitions()*entrySize)
	b = append(b, requestMark...)
	b = append(b, Version)
	b = append(b, q.Cluster[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(q.Within.Milliseconds()))
	b = binary.BigEndian.AppendUint16(b, uint16(len(q.Rings)))
	for _, r := range q.Rings {
		b = binary.BigEndian.AppendUint32(b, r.Policy)
		b = binary.BigEndian.AppendUint64(b, r.Version)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(q.Groups)))
	for _, g := range q.Groups {
		b = append(b, byte(len(g.Device)))
		b = append(b, g.Device...)
		b = binary.BigEndian.AppendUint32(b, g.Policy)
		b = binary.BigEndian.AppendUint16(b, uint16(len(g.Entries)))
		for _, e := range g.Entries {
			b = binary.BigEndian.AppendUint32(b, e.Partition)
			b = append(b, e.Digest[:]...)
		}
	}
	return b
}

// DecodeRequest reads a request. It is strict: an error names what is wrong.
func DecodeRequest(body []byte) (*Request, error) {
	q, err := decodeRequest(body)
	if err != nil {
		return nil, fmt.Errorf("read survey: %w", err)
	}
	return q, nil
}

func decodeRequest(body []byte) (*Request, error) {
	if len(body) > MaxRequest {
		return nil, fmt.Errorf("%d bytes, more than %d", len(body), MaxRequest)
	}
	r := &reader{b: body}
	q := &Request{}
	r.head(requestMark)
	copy(q.Cluster[:], r.bytes(len(q.Cluster)))
	q.Within = time.Duration(r.uint32()) * time.Millisecond
	q.rings(r)
	groups := int(r.uint16())
	if groups > MaxGroups {
		r.fail("%d groups, more than %d", groups, MaxGroups)
	}
	for left := MaxPartitions; groups > 0 && r.err == nil; groups-- {
		q.group(r, &left)
	}
	return q, r.end()
}

func (q *Request) rings(r *reader) {
	n := int(r.uint16())
	if n > MaxRings {
		r.fail("%d rings, more than %d", n, MaxRings)
	}
	for i := 0; i < n && r.err == nil; i++ {
		ring := Ring{Policy: r.uint32(), Version: r.uint64()}
		if i > 0 && ring.Policy <= q.Rings[i-1].Policy {
			r.fail("ring of policy %d comes after that of %d", ring.Policy, q.Rings[i-1].Policy)
		}
		q.Rings = append(q.Rings, ring)
	}
}

// group reads one group. left is how many partitions there may still be.
func (q *Request) group(r *reader, left *int) {
	g := Group{Device: string(r.bytes(r.uint8())), Policy: r.uint32()}
	n := int(r.uint16())
	switch {
	case r.err != nil:
		return
	case g.Device == "":
		r.fail("a group without a device")
	case !q.names(g.Policy):
		r.fail("no ring version of policy %d", g.Policy)
	case n == 0:
		r.fail("a group without partitions")
	case n > *left:
		r.fail("more than %d partitions", MaxPartitions)
	case len(q.Groups) > 0 && !q.Groups[len(q.Groups)-1].before(g):
		r.fail("group %s of policy %d is out of order", quoted(g.Device), g.Policy)
	case r.left() < n*entrySize:
		r.err = errShort
	}
	if r.err != nil {
		return
	}
	*left -= n
	g.Entries = make([]Entry, n)
	for i := range g.Entries {
		e := &g.Entries[i]
		e.Partition = r.uint32()
		copy(e.Digest[:], r.bytes(len(e.Digest)))
		if i > 0 && e.Partition <= g.Entries[i-1].Partition {
			r.fail("partition %d comes after %d", e.Partition, g.Entries[i-1].Partition)
			return
		}
	}
	q.Groups = append(q.Groups, g)
}

func (q *Request) names(policy uint32) bool {
	for _, r := range q.Rings {
		if r.Policy == policy {
			return true
		}
	}
	return false
}

func (g Group) before(o Group) bool {
	return g.Device < o.Device || g.Device == o.Device && g.Policy < o.Policy
}

func quoted(s string) string { return fmt.Sprintf("%.40q", s) }
