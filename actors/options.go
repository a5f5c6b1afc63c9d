package actors

import (
	"slices"
	"time"

	"understudy/messages"
)

// Options are the settings that the actors keep to. They do not change during
// the life of an engine.
type Options struct {
	Slots             int           // jobs in flight in the whole node, at least 1
	DeviceSlots       int           // jobs in flight on one disk; 0 leaves it to the budget
	Interval          time.Duration // rest of a device between two passes
	StatsInterval     time.Duration // between two heartbeat lines
	RingCheckInterval time.Duration // between two looks at the ring files
	CallTimeout       time.Duration // after which a call counts as stuck (lockup_timeout)
	ProbeInterval     time.Duration // between two probes of a disk that works or is out of service
	ProbeTimeout      time.Duration // after which a probe counts as stuck
	ErrorLimit        int           // ill jobs in a row after which a disk is failing, at least 1
	HandoffDelete     int           // copies that suffice to give a handoff up, 0 for all
	HandoffsFirst     bool          // revert jobs first; update jobs only when no handoff is left
	HandoffSettle     time.Duration // how long a proven handoff is kept until a later pass proves it again
	CheckRemote       bool          // the transport can ask a node what it has without sending (ssync)
	Once              bool          // script mode: one pass of every device, then RunDone
	PerDisk           bool          // recon in the form of Swift's worker processes
	Only              Overrides     // script mode: restricts the pass
	IPs               []string      // addresses of this node, for the line that it is in no ring
	Port              int           // replication port of this node, 0 when every port is its own
	Bytes             int64         // of objects that go to peers a second; 0: no bound, also below
	DeviceBytes       int64         // from one disk
	Hashes            float64       // suffixes hashed a second
	Tranquility       float64       // rest after a job, in durations of that job

	// Course is the one to begin with, of an earlier process; nil: the settings above.
	Course *messages.Course
	Ready  func() // called once, when the tree stands; may be nil
}

// Overrides restrict a pass. An empty list means no restriction; the lists are
// combined by "and".
type Overrides struct {
	Devices    []string
	Partitions []uint32
	Policies   []int
}

// Any tells whether anything is restricted: such a pass says nothing about the
// node as a whole and does not go into the recon cache.
func (o Overrides) Any() bool {
	return len(o.Devices) > 0 || len(o.Partitions) > 0 || len(o.Policies) > 0
}

func (o Overrides) device(name string) bool {
	return len(o.Devices) == 0 || slices.Contains(o.Devices, name)
}

func (o Overrides) partition(n uint32) bool {
	return len(o.Partitions) == 0 || slices.Contains(o.Partitions, n)
}

func (o Overrides) policy(index int) bool {
	return len(o.Policies) == 0 || slices.Contains(o.Policies, index)
}

// Rebirth of crashed actors: first wait, longest wait. A disk or a bug that
// breaks an actor again and again costs one attempt a minute.
const (
	rebirthLeast = time.Second
	rebirthMost  = time.Minute
)

// callGrace is how long after its deadline a call may still return before it counts
// as stuck: a call that honours its context answers within this time.
const callGrace = 10 * time.Second

// cursorInterval is how often a device at work notes where it stands.
const cursorInterval = 15 * time.Second

// A survey is about so many partitions at most. Their digests are made for so long;
// what is left over then has its own job.
const (
	surveyMost  = 1024
	surveyLocal = 5 * time.Second
)

// cursorTimeout bounds one look at a cursor.
const cursorTimeout = 10 * time.Second
