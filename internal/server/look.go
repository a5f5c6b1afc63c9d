package server

import (
	"slices"
	"sync"

	"understudy/internal/native"
	"understudy/messages"
)

// look is a survey at work. Its answer may be taken before all of it has ended.
type look struct {
	devices []surveyed
	running sync.WaitGroup

	mu       sync.Mutex
	over     bool           // the answer has been taken
	states   []native.State // by group
	sizes    []int          // partitions of each group
	findings []native.Finding
	room     int // bytes left for suffix hashes
}

// surveyed is one device of a survey.
type surveyed struct {
	name   string
	groups []surveyGroup
	asks   []surveyAsk
}

type surveyGroup struct {
	index  int
	policy uint32
}

// surveyAsk is one partition with its index in the survey and the asker's digest.
type surveyAsk struct {
	messages.DigestAsk
	index int
	want  messages.Digest
}

func newLook(q *native.Request) *look {
	l := &look{room: native.MaxHashes}
	for i, g := range q.Groups {
		if i == 0 || g.Device != q.Groups[i-1].Device {
			l.devices = append(l.devices, surveyed{name: g.Device})
		}
		d := &l.devices[len(l.devices)-1]
		d.groups = append(d.groups, surveyGroup{i, g.Policy})
		l.states, l.sizes = append(l.states, native.Busy), append(l.sizes, len(g.Entries))
		for _, e := range g.Entries {
			ask := surveyAsk{DigestAsk: messages.DigestAsk{Policy: int(g.Policy), Number: e.Partition}, index: len(l.findings), want: e.Digest}
			d.asks = append(d.asks, ask)
			l.findings = append(l.findings, native.Finding{Index: ask.index, Kind: native.Undone})
		}
	}
	return l
}

// group, groups and begin set what becomes of groups.
func (l *look) group(i int, s native.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[i] = s
}

func (l *look) groups(d surveyed, s native.State) {
	for _, g := range d.groups {
		l.group(g.index, s)
	}
}

func (l *look) begin(d surveyed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range d.groups {
		if l.states[g.index] == native.Busy {
			l.states[g.index] = native.Looked
		}
	}
}

// found takes a finding in and tells whether more are wanted.
func (l *look) found(index int, f native.Finding) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	f.Index = index
	if size := native.TableSize(f.Hashes); size > l.room {
		f.Kind, f.Hashes = native.Other, nil
	} else {
		l.room -= size
	}
	l.findings[index] = f
	return true
}

// end takes the answer as it is now.
func (l *look) end() *native.Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	a := &native.Answer{Groups: slices.Clone(l.states)}
	next := 0
	for i, n := range l.sizes {
		for _, f := range l.findings[next : next+n] {
			if l.states[i] == native.Looked && f.Kind != 0 {
				a.Findings = append(a.Findings, f)
			}
		}
		next += n
	}
	return a
}

// without leaves out the asks of a policy.
func without(asks []surveyAsk, policy int) []surveyAsk {
	return slices.DeleteFunc(slices.Clone(asks), func(a surveyAsk) bool { return a.Policy == policy })
}
