package messages

import (
	"sync/atomic"
	"time"
)

// Flight is a job at work as anybody may look at it, at any time: the job itself may be
// stuck in a call. Its methods are safe for concurrent use, and for nil.
type Flight struct {
	Kind      Kind
	Partition Partition
	Survey    int // partitions that are compared at once; 0 for a job
	Begun     time.Time

	phase atomic.Pointer[Phase]
	sent  atomic.Int64
	stuck atomic.Bool
}

// Phase is what a job does at the moment.
type Phase struct {
	Name  string
	Node  Node // the peer in hand; its Device is empty when there is none
	Since time.Time
}

// The phases of a job.
const (
	PhaseHashing   = "hashing"   // reading the suffixes of the partition
	PhaseAsking    = "asking"    // waiting for a peer's suffix hashes
	PhaseRehashing = "rehashing" // hashing afresh what differs
	PhaseSyncing   = "syncing"   // pushing to a peer
	PhaseHolding   = "holding"   // locking and listing a handoff
	PhaseRemoving  = "removing"  // giving up what the peers have proven to hold
	PhaseComparing = "comparing" // a survey
	PhaseReserving = "reserving" // asking whether a peer's disk takes a push now
	PhaseDeferred  = "deferred"  // waiting, without a slot, until it takes one
)

// Enter notes that the job has come to a phase.
func (f *Flight) Enter(name string, node Node, now time.Time) {
	if f != nil {
		f.phase.Store(&Phase{Name: name, Node: node, Since: now})
	}
}

// Sent adds bytes of objects that went to a peer.
func (f *Flight) Sent(n int64) {
	if f != nil {
		f.sent.Add(n)
	}
}

// Stick notes that a call of the job has not returned in time.
func (f *Flight) Stick() {
	if f != nil {
		f.stuck.Store(true)
	}
}

// Bytes is how many bytes of objects went to peers.
func (f *Flight) Bytes() int64 {
	if f == nil {
		return 0
	}
	return f.sent.Load()
}

// FlightSnapshot is a Flight at one moment.
type FlightSnapshot struct {
	Kind      Kind
	Partition Partition
	Survey    int
	Begun     time.Time
	Phase     Phase
	Bytes     int64
	Stuck     bool
}

// Snapshot looks at the job.
func (f *Flight) Snapshot() FlightSnapshot {
	s := FlightSnapshot{
		Kind: f.Kind, Partition: f.Partition, Survey: f.Survey, Begun: f.Begun, Bytes: f.sent.Load(), Stuck: f.stuck.Load(),
	}
	if p := f.phase.Load(); p != nil {
		s.Phase = *p
	}
	return s
}

// JobBegun tells of a job or a survey that has begun. Sender: device. Receiver:
// recorder.
type JobBegun struct {
	Device string
	Flight *Flight
}

// JobGone tells that what was at work is no more: its actor has ended. Sender: device.
// Receiver: recorder.
type JobGone struct {
	Device string
	Flight *Flight
}

// Cause is why a job, or a part of it, has failed.
type Cause string

// The causes.
const (
	CausePeer      Cause = "peer"      // it did not answer, or not with hashes
	CauseUnmounted Cause = "unmounted" // the peer's device is not mounted
	CausePush      Cause = "push"      // a push did not succeed
	CauseDisk      Cause = "disk"      // this node's own disk
	CauseLocked    Cause = "locked"    // somebody else works on the partition
	CauseStuck     Cause = "stuck"     // a call has not returned in time
	CauseCrash     Cause = "crash"     // the job's actor crashed
	CauseOther     Cause = "other"
)

// Trouble is one failure of a job.
type Trouble struct {
	Cause Cause
	Text  string
}
