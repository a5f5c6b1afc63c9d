package plan

import (
	"slices"

	"understudy/messages"
)

// Revert decides the course of one revert job: bring a handoff partition to its
// primaries and tell what of it may then be given up. Swift: obj/replicator.py
// update_deleted.
type Revert struct {
	region  int
	queue   []messages.Node // primaries not yet served, in ring order
	peers   int             // primaries in all
	need    int             // primaries that must prove a file before it may go
	check   bool            // a remote region's further nodes are only asked
	held    messages.Files
	proofs  map[string]map[string]int // hash → file name → primaries that have proven it
	waits   map[string]map[string]int // the same, of metadata that they have no data for
	served  map[int]messages.Files    // remote region → what its first node has proven
	targets nodeSet
	failed  nodeSet
	later   []messages.Node // they want no push now
	broken  bool
	counts  messages.Counts
}

// RevertStep is one thing to do: push everything to a node, or only ask it which
// of some objects it has.
type RevertStep struct {
	Node      messages.Node
	CheckOnly []string // hashes to ask about; nil: push
}

// NewRevert begins a job. peers are the primaries in ring order, held is what
// the partition was seen to hold. handoffDelete is the option of that name; it is
// clamped to the number of primaries, as newer Swift does. checkRemote: the
// transport can ask without sending, so that a remote region is sent one copy.
func NewRevert(region int, peers []messages.Node, held messages.Files, handoffDelete int, checkRemote bool) *Revert {
	need := len(peers)
	if handoffDelete > 0 {
		need = min(need, handoffDelete)
	}
	return &Revert{
		region: region, queue: peers, peers: len(peers), need: need, check: checkRemote, held: held,
		proofs: map[string]map[string]int{}, waits: map[string]map[string]int{}, served: map[int]messages.Files{},
		counts: messages.Counts{Attempted: 1},
	}
}

// Next is the next step; ok is false when every primary has been tried. A
// partition without object files has nothing to push.
func (r *Revert) Next() (step RevertStep, ok bool) {
	if len(r.queue) == 0 || len(r.held) == 0 {
		return RevertStep{}, false
	}
	node := r.queue[0]
	r.queue = r.queue[1:]
	r.targets.add(node)
	r.counts.Rsync++
	step.Node = node
	if known, ok := r.served[node.Region]; r.check && ok {
		step.CheckOnly = sortedKeys(known)
	}
	return step, true
}

// Pushed notes how a step ended and what the node has proven.
func (r *Revert) Pushed(n messages.Node, result messages.SyncResult) {
	if !result.OK {
		r.failed.add(n)
		return
	}
	r.count(r.proofs, result.Proven)
	r.count(r.waits, result.Waiting)
	if n.Region != r.region {
		r.served[n.Region] = result.Proven
	}
}

// count counts a node for each of some files.
func (r *Revert) count(of map[string]map[string]int, files messages.Files) {
	for hash, names := range files {
		for _, name := range names {
			if !slices.Contains(r.held[hash], name) {
				continue // it came after the listing: nobody has decided about it
			}
			if of[hash] == nil {
				of[hash] = map[string]int{}
			}
			of[hash][name]++
		}
	}
}

// Failed notes a node that could not be spoken to. Nothing is given up then,
// however many others have proven: Swift ends the job by an exception.
func (r *Revert) Failed(n messages.Node) {
	r.targets.add(n)
	r.failed.add(n)
	r.broken = true
}

// Later notes a primary that wants no push now: nothing is given up in this attempt.
func (r *Revert) Later(n messages.Node) {
	r.later = append(r.later, n)
	r.counts.Rsync-- // Next has counted it
}

// Latecomers are the primaries that a push is still owed.
func (r *Revert) Latecomers() []messages.Node { return r.later }

// MayGo is what may be given up: the files that enough primaries have proven. It
// is empty unless the job went through its nodes without an error and, with
// handoff_delete at 0, every single one succeeded. ok tells that the partition may
// go with them if nothing else is left in it: what was listed and not proven may have
// gone meanwhile, an old tombstone for example that the push has reclaimed.
//
// Unlike Swift: a job with no primaries at all never removes anything, and the
// number of successes is counted file by file.
func (r *Revert) MayGo() (files messages.Files, ok bool) {
	switch {
	case r.broken || r.peers == 0 || len(r.later) > 0 || len(r.queue) > 0 && len(r.held) > 0:
		return nil, false
	case len(r.held) == 0:
		return messages.Files{}, true // no object in it: only empty folders and debris
	case r.peers-len(r.failed.nodes) < r.need:
		return nil, false
	}
	files = messages.Files{}
	for hash, names := range r.held {
		for _, name := range names {
			if r.proofs[hash][name] >= r.need {
				files[hash] = append(files[hash], name)
			}
		}
	}
	return files, true
}

// Waiting are files of metadata for which some primary has a tombstone instead of the
// data and that all others have, as MayGo counts. They are kept until they are too old
// to matter (reclaim_age), but what lies beside them may go.
func (r *Revert) Waiting() messages.Files {
	files := messages.Files{}
	for hash, names := range r.waits {
		for name, n := range names {
			if n > 0 && r.proofs[hash][name]+n >= r.need && r.proofs[hash][name] < r.need {
				files[hash] = append(files[hash], name)
			}
		}
	}
	return files
}

// Removing notes that something is given up.
func (r *Revert) Removing() { r.counts.Remove++ }

// Broke ends the job by an error of this node's own.
func (r *Revert) Broke() { r.broken = true }

// Result is the job's numbers.
func (r *Revert) Result() (messages.Counts, messages.FailureNodes) {
	failed := nodeSet{slices.Clone(r.failed.nodes)}
	for _, n := range r.later {
		failed.add(n) // the job ends without them
	}
	counts := r.counts
	counts.Failure += len(failed.nodes)
	counts.Success += r.peers - len(failed.nodes)
	if len(failed.nodes) == 0 {
		return counts, nil
	}
	nodes := messages.FailureNodes{}
	nodes.Count(failed.nodes...)
	return counts, nodes
}
