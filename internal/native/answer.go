package native

import (
	"encoding/binary"
	"fmt"

	"understudy/messages"
)

// MaxAnswer bounds an answer, in bytes. Suffix hashes that no longer fit are left out.
const MaxAnswer = 1 << 20

const (
	answerMark = "USA\n"
	answerHead = 4 + 1 + 16 + 2 + 2
	// FindingSize is what a finding takes without its suffix hashes, in bytes.
	FindingSize = 2 + 1 + 2
	// MaxHashes is how many bytes of suffix hashes fit beside everything else.
	MaxHashes = MaxAnswer - answerHead - MaxGroups - MaxPartitions*FindingSize
)

// Answer tells what differs. A partition that no finding names, of a group that was
// Looked at, is as the asker has it.
type Answer struct {
	Groups   []State   // one for each group of the request
	Findings []Finding // by index, of groups that were Looked at
}

// State is what became of a group.
type State uint8

const (
	Looked      State = 1 + iota // its partitions were compared
	Unavailable                  // the device is missing or not mounted (507)
	Busy                         // the device had no place for the request in time (503)
	NoPolicy                     // this node has no such policy
)

// Finding is about one partition that is not the same.
type Finding struct {
	Index  int // counted through all groups, from 0
	Kind   Kind
	Hashes messages.Hashes // of Differs
}

// Kind is what was found.
type Kind uint8

const (
	Differs Kind = 1 + iota // Hashes are those that REPLICATE would give
	Other                   // it differs; there was no room for its hashes
	Failed                  // it could not be hashed there
	Undone                  // the time was over before it was looked at
)

// Encode writes the answer to a request, of which it takes the bytes. The error is a
// map of hashes that no partition can have.
func (a *Answer) Encode(request []byte) ([]byte, error) {
	size := answerHead + len(a.Groups) + len(a.Findings)*FindingSize
	for _, f := range a.Findings {
		size += TableSize(f.Hashes)
	}
	b := make([]byte, 0, size)
	b = append(b, answerMark...)
	b = append(b, Version)
	echo := echoOf(request)
	b = append(b, echo[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.Groups)))
	for _, s := range a.Groups {
		b = append(b, byte(s))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.Findings)))
	for _, f := range a.Findings {
		b = binary.BigEndian.AppendUint16(b, uint16(f.Index))
		b = append(b, byte(f.Kind))
		b = binary.BigEndian.AppendUint16(b, uint16(len(f.Hashes)))
		var err error
		if b, err = appendTable(b, f.Hashes); err != nil {
			return nil, fmt.Errorf("write survey: partition %d: %w", f.Index, err)
		}
	}
	return b, nil
}

// DecodeAnswer reads the answer to a request, of which it takes the bytes as well.
// It is strict, and takes no answer to another request: what it does not name counts
// as equal, so nothing may be left to chance.
func DecodeAnswer(body []byte, q *Request, request []byte) (*Answer, error) {
	a, err := decodeAnswer(body, q, request)
	if err != nil {
		return nil, fmt.Errorf("read answer to survey: %w", err)
	}
	return a, nil
}

func decodeAnswer(body []byte, q *Request, request []byte) (*Answer, error) {
	if len(body) > MaxAnswer {
		return nil, fmt.Errorf("%d bytes, more than %d", len(body), MaxAnswer)
	}
	r := &reader{b: body}
	a := &Answer{}
	r.head(answerMark)
	if echo := echoOf(request); messages.Digest(r.bytes(len(echo))) != echo && r.err == nil {
		r.fail("it answers another request")
	}
	if n := int(r.uint16()); n != len(q.Groups) && r.err == nil {
		r.fail("%d groups, asked about %d", n, len(q.Groups))
	}
	var looked []bool // by index
	for _, g := range q.Groups {
		s := State(r.uint8())
		if (s < Looked || s > NoPolicy) && r.err == nil {
			r.fail("state %d of a group", s)
		}
		a.Groups = append(a.Groups, s)
		for range g.Entries {
			looked = append(looked, s == Looked)
		}
	}
	last := -1
	for n := int(r.uint16()); n > 0 && r.err == nil; n-- {
		last = a.finding(r, looked, last)
	}
	return a, r.end()
}

// finding reads one finding and returns its index.
func (a *Answer) finding(r *reader, looked []bool, last int) int {
	f := Finding{Index: int(r.uint16()), Kind: Kind(r.uint8())}
	n := int(r.uint16())
	switch {
	case r.err != nil:
		return last
	case f.Index >= len(looked):
		r.fail("finding %d of %d partitions", f.Index, len(looked))
	case f.Index <= last:
		r.fail("finding %d comes after %d", f.Index, last)
	case !looked[f.Index]:
		r.fail("finding %d is of a group that was not looked at", f.Index)
	case f.Kind < Differs || f.Kind > Undone:
		r.fail("finding %d is of kind %d", f.Index, f.Kind)
	case n > 0 && f.Kind != Differs:
		r.fail("finding %d of kind %d has hashes", f.Index, f.Kind)
	case f.Kind == Differs:
		f.Hashes = r.table(n)
	}
	a.Findings = append(a.Findings, f)
	return f.Index
}
