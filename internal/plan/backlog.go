package plan

import "slices"

// Backlog is the partitions of a disk that wait for their job, in the order of the
// pass. One that waits takes four bytes. They may be added while others are taken.
type Backlog struct {
	order Order
	lists []list // by policy
	n     int
}

// list is one policy's part: a heap of places, the first one on top.
type list struct {
	policy uint32
	order  Order
	places []uint32
}

// Waiting is one partition of a backlog.
type Waiting struct {
	Policy, Number, Place uint32
}

// PastAll is the cursor of a pass that has been through every place.
const PastAll = uint64(1) << 32

// NewBacklog makes an empty one.
func NewBacklog(o Order) *Backlog { return &Backlog{order: o} }

// Len is how many partitions wait.
func (b *Backlog) Len() int { return b.n }

// Place is where a partition comes in the order of the pass.
func (b *Backlog) Place(policy, number uint32) uint32 { return b.order.of(policy).Place(number) }

// Add lets a partition wait.
func (b *Backlog) Add(policy, number uint32) {
	l := b.list(policy)
	l.push(l.order.Place(number))
	b.n++
}

func (b *Backlog) list(policy uint32) *list {
	for i := range b.lists {
		if b.lists[i].policy == policy {
			return &b.lists[i]
		}
	}
	b.lists = append(b.lists, list{policy: policy, order: b.order.of(policy)})
	return &b.lists[len(b.lists)-1]
}

// First is the place of the partition that is next, or PastAll.
func (b *Backlog) First() uint64 {
	if l := b.first(); l != nil {
		return uint64(l.places[0])
	}
	return PastAll
}

func (b *Backlog) first() (first *list) {
	for i := range b.lists {
		if l := &b.lists[i]; len(l.places) > 0 && (first == nil || l.places[0] < first.places[0]) {
			first = l
		}
	}
	return first
}

// Next takes the next partition.
func (b *Backlog) Next() (Waiting, bool) {
	l := b.first()
	if l == nil {
		return Waiting{}, false
	}
	place := l.pop()
	b.n--
	return Waiting{Policy: l.policy, Number: l.order.At(place), Place: place}, true
}

// Take takes a partition out of the middle of the queue and tells whether it was there.
// It looks at every one that waits.
func (b *Backlog) Take(policy, number uint32) bool {
	for i := range b.lists {
		l := &b.lists[i]
		if l.policy != policy || len(l.places) == 0 {
			continue
		}
		if at := slices.Index(l.places, l.order.Place(number)); at >= 0 {
			l.remove(at)
			b.n--
			return true
		}
	}
	return false
}

// Drop forgets all that wait.
func (b *Backlog) Drop() { b.lists, b.n = nil, 0 }

func (l *list) push(place uint32) {
	if len(l.places) == cap(l.places) {
		l.places = slices.Grow(l.places, len(l.places)/4+64)
	}
	l.places = append(l.places, place)
	l.up(len(l.places) - 1)
}

func (l *list) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if l.places[parent] <= l.places[i] {
			return
		}
		l.places[parent], l.places[i] = l.places[i], l.places[parent]
		i = parent
	}
}

func (l *list) pop() uint32 {
	top := l.places[0]
	l.remove(0)
	return top
}

// remove takes out the place at an index: the last one fills the gap.
func (l *list) remove(i int) {
	last := len(l.places) - 1
	l.places[i] = l.places[last]
	l.places = l.places[:last]
	if i == last {
		return
	}
	l.up(i)
	l.down(i)
}

func (l *list) down(i int) {
	last := len(l.places)
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if l.places[child] < l.places[least] {
				least = child
			}
		}
		if least == i {
			return
		}
		l.places[i], l.places[least] = l.places[least], l.places[i]
		i = least
	}
}
