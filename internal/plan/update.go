package plan

import (
	"slices"

	"understudy/messages"
)

// Update decides the course of one update job: whom to ask next and what each
// answer means. The caller does what it says and reports back. Swift:
// obj/replicator.py update.
type Update struct {
	region   int
	queue    []messages.Node        // primaries not yet asked, in the order to ask them
	handoffs func() []messages.Node // every further node; called once, only when needed
	reserve  int                    // handoff_delete, or 0
	left     int                    // nodes still to be tried
	targets  nodeSet
	failed   nodeSet
	synced   map[int]bool // remote regions that have received a copy in this job
	counts   messages.Counts
	hashes   messages.Hashes
	suffixes int             // how many there are
	later    []messages.Node // they want no push now
	ranOut   bool
	broken   bool
}

// NewUpdate begins a job. peers are the other primaries in the order to ask
// them; handoffs yields the nodes to fall back on when a peer's disk is gone.
// handoffDelete is the option of that name (0: all): with it no more copies are
// made than would be needed to give a handoff up.
func NewUpdate(region int, peers []messages.Node, handoffs func() []messages.Node, handoffDelete int) *Update {
	return &Update{
		region: region, queue: peers, handoffs: handoffs, reserve: handoffDelete,
		left: len(peers), synced: map[int]bool{}, counts: messages.Counts{Attempted: 1},
	}
}

// Hashed takes the first look at the local suffixes.
func (u *Update) Hashed(r messages.HashReport) {
	u.hashes, u.suffixes = r.Hashes, len(r.Hashes)
	u.counts.SuffixHash += r.Hashed
}

// Next is the next node to ask; ok is false when the job is at its end.
func (u *Update) Next() (node messages.Node, ok bool) {
	for u.left > 0 {
		if len(u.queue) == 0 && u.handoffs != nil {
			u.queue, u.handoffs = u.handoffs(), nil
		}
		if len(u.queue) == 0 {
			u.ranOut = true
			return messages.Node{}, false
		}
		node, u.queue = u.queue[0], u.queue[1:]
		u.targets.add(node)
		u.left--
		if u.synced[node.Region] {
			continue // that region spreads the copy it got by itself
		}
		return node, true
	}
	return messages.Node{}, false
}

// Unmounted notes that a node's disk is not there: a further node takes its
// place, so that the number of copies stays whole. This is the only answer that
// does so; a node that is merely down would come back to find handoffs.
func (u *Update) Unmounted(n messages.Node) {
	u.failed.add(n)
	if u.reserve > 0 && 1+u.targets.minus(u.failed)+u.left >= u.reserve {
		return
	}
	u.left++
}

// Failed notes that nothing could be done for a node.
func (u *Update) Failed(n messages.Node) { u.failed.add(n) }

// Later notes a node that differs and wants no push now. Next leaves it out until Again.
func (u *Update) Later(n messages.Node) { u.later = append(u.later, n) }

// Latecomers are the nodes that a push is still owed.
func (u *Update) Latecomers() []messages.Node { return u.later }

// Again makes the nodes that a push is still owed the next ones, as if they had not
// been asked yet.
func (u *Update) Again() {
	u.queue = append(slices.Clone(u.later), u.queue...)
	u.left += len(u.later)
	u.later, u.ranOut = nil, false
}

// Compare lists the suffixes to bring to a node that answered with its hashes.
func (u *Update) Compare(remote messages.Hashes) []string {
	return Differ(u.hashes, remote)
}

// Recalculated takes the fresh hashes of suffixes that differed. The node may
// have pushed to us meanwhile, so the comparison is made again on them.
func (u *Update) Recalculated(r messages.HashReport) {
	u.hashes, u.suffixes = r.Hashes, len(r.Hashes)
}

// Matched notes a node that has nothing to receive.
func (u *Update) Matched() { u.counts.HashMatch++ }

// Pushing notes that suffixes are on their way.
func (u *Update) Pushing() { u.counts.Rsync++ }

// Pushed notes how a push ended. Only a push that worked marks a remote region
// as served; an equal hash does not.
func (u *Update) Pushed(n messages.Node, suffixes int, ok bool) {
	if !ok {
		u.failed.add(n)
	} else if n.Region != u.region {
		u.synced[n.Region] = true
	}
	u.counts.SuffixSync += suffixes
}

// Broke ends the job by an error of this node's own: every node tried so far
// counts as failed.
func (u *Update) Broke() { u.broken = true }

// RanOut tells whether the job ended because no node was left to fall back on.
func (u *Update) RanOut() bool { return u.ranOut }

// Result is the job's numbers. It may be asked at any time.
func (u *Update) Result() (messages.Counts, messages.FailureNodes) {
	failed := nodeSet{slices.Clone(u.failed.nodes)}
	for _, n := range u.later {
		failed.add(n) // the job ends without them
	}
	if u.broken {
		failed = u.targets
	}
	counts := u.counts
	counts.Failure += len(failed.nodes)
	counts.Success += u.targets.minus(failed)
	if !u.ranOut && !u.broken {
		counts.SuffixCount += u.suffixes
	}
	if len(failed.nodes) == 0 {
		return counts, nil
	}
	nodes := messages.FailureNodes{}
	nodes.Count(failed.nodes...)
	return counts, nodes
}

// InSync is the numbers of a job all of whose peers had nothing to receive. suffixes
// are those of the partition, hashed those whose directories were read.
func InSync(peers []messages.Node, suffixes, hashed int) messages.Counts {
	u := NewUpdate(0, peers, nil, 0)
	u.suffixes, u.counts.SuffixHash = suffixes, hashed
	for _, ok := u.Next(); ok; _, ok = u.Next() {
		u.Matched()
	}
	counts, _ := u.Result()
	return counts
}

// nodeSet holds nodes apart by replication ip and device, as Swift's numbers do.
type nodeSet struct{ nodes []messages.Node }

func (s *nodeSet) has(n messages.Node) bool {
	return slices.ContainsFunc(s.nodes, func(m messages.Node) bool {
		return m.ReplicationIP == n.ReplicationIP && m.Device == n.Device
	})
}

func (s *nodeSet) add(n messages.Node) {
	if !s.has(n) {
		s.nodes = append(s.nodes, n)
	}
}

// minus is the number of members that o does not have.
func (s *nodeSet) minus(o nodeSet) int {
	n := 0
	for _, m := range s.nodes {
		if !o.has(m) {
			n++
		}
	}
	return n
}
