package messages

import (
	"errors"
	"fmt"
	"time"
)

// Hashes are the suffix hashes of one partition: three hex digits to the md5 in
// hex. The empty string stands for Python's None, "could not be hashed", which
// equals only another None. Absent suffixes have no key.
type Hashes map[string]string

// HashOptions say how much of the cached suffix hashes to trust.
type HashOptions struct {
	List        bool     // look for suffix directories the cache does not know
	Recalculate []string // suffixes to hash afresh whatever the cache says
}

// HashReport is the answer of one look at a partition's suffixes.
type HashReport struct {
	Hashes Hashes
	Hashed int   // suffixes whose directories were read
	Ill    error // the first illness of the disk that a suffix was left out for, or nil
}

// Listing is a piece of what one policy's directory on one device holds.
type Listing struct {
	Created    bool     // the directory was missing and has been made; no work in this pass
	Partitions []uint32 // canonical decimal names, in directory order; range not yet checked
	Strange    []string // other names, as found; they are counted as failures and never touched
}

// SyncJob asks a transport to bring suffixes of a local partition to one node.
type SyncJob struct {
	Partition Partition
	Region    int      // region of the local device
	Node      Node     // the target
	Suffixes  []string // at least one
	Handoff   bool     // the job is a revert: this device is no primary
	Held      Files    // revert: what was listed before the first push
	CheckOnly []string // revert: only ask which of these hashes the node has; nothing is sent. Nil: push
	Flight    *Flight  // told what has been sent; may be nil
}

// SyncResult is what a transport achieved. A result without OK is an ordinary
// outcome: the transport has logged why.
type SyncResult struct {
	OK bool
	// Proven are the files that the node is known to hold now, whole: for a revert
	// job those of Held that may count towards giving the handoff up. Empty when
	// nothing was proven, and for update jobs.
	Proven Files
	// Waiting are files of Held with metadata that the node has not taken because it has
	// a tombstone in the place of their data, which is newer than theirs. They have to
	// be kept, though what lies beside them need not.
	Waiting Files
	// Silence tells, of a sync without OK, whether the node itself is the trouble.
	Silence Silence
}

// Files are file names by the hash of their object (32 hex digits): those that
// make it or once made it, never temporary or foreign ones.
type Files map[string][]string

// Count is the number of files.
func (f Files) Count() (n int) {
	for _, names := range f {
		n += len(names)
	}
	return n
}

// Manifest is what a handoff partition was seen to hold under its lock.
type Manifest struct {
	Suffixes []string // directories that look like suffixes, sorted
	Files    Files    // the files of its objects
}

// Removal is what became of a handoff partition, or of those of its files that
// were to go.
type Removal struct {
	Objects int    // objects of which a file was removed
	Whole   bool   // the partition's directory is gone, too
	Kept    string // why something that was to go has been kept for the next pass, or empty
	Waits   bool   // all that is left is metadata that waits for data of others: no push makes it go
}

// ErrPartitionLocked says that somebody else works on a partition.
var ErrPartitionLocked = errors.New("partition is locked")

// DeviceError says that a local device cannot be used now. Message is Swift's
// text for it. Swift: common/constraints.py check_drive.
type DeviceError struct {
	Device  string
	Message string
	Err     error // the cause, when a system call failed
}

func (e *DeviceError) Error() string { return e.Message }
func (e *DeviceError) Unwrap() error { return e.Err }

// CreateError says that a policy's directory could not be made on a device. Its
// text is Swift's. Swift: obj/replicator.py build_replication_jobs.
type CreateError struct {
	Path string
	Err  error
}

func (e *CreateError) Error() string { return fmt.Sprintf("ERROR creating %s: %v", e.Path, e.Err) }
func (e *CreateError) Unwrap() error { return e.Err }

// NotDirectoryError says that a partition's path is a file.
type NotDirectoryError struct {
	Path   string
	Size   int64  // bytes
	Action string // what was done with it: "removed", "quarantined", "left"
}

func (e *NotDirectoryError) Error() string {
	return fmt.Sprintf("partition %s is a file (%d bytes): %s", e.Path, e.Size, e.Action)
}

// StatusError is a peer's answer other than 200.
type StatusError struct {
	Node   Node
	Status int
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s answered %d", e.Node, e.Status) }

// PeerError is an exchange with a peer that failed before a usable answer.
// Why is Swift's short text ("Connection refused", "Timeout (60s)"), or empty.
type PeerError struct {
	Node    Node
	Why     string
	Silence Silence
	Untried bool // the peer was silent a moment ago and has not been asked again
	Err     error
}

func (e *PeerError) Error() string { return fmt.Sprintf("%s: %v", e.Node, e.Err) }
func (e *PeerError) Unwrap() error { return e.Err }

// Silence tells how far a peer was from answering: what a circuit breaker goes by.
type Silence int

const (
	Answered    Silence = iota // it has answered, be it with an error, garbage or "busy"
	Unreachable                // there was no connection: its node is down or away
	Unanswered                 // there was one, and nothing came in time, or it broke
)

func (s Silence) String() string {
	switch s {
	case Unreachable:
		return "unreachable"
	case Unanswered:
		return "no answer"
	}
	return "answered"
}

// PeerState is what is known of a peer that was silent. Peers that answer have none.
type PeerState struct {
	Lane     string // "replicate" (questions) or "sync" (pushes): different servers; "native": one that refuses
	Peer     string // ip:port of a node, or ip:port/device of one device of it
	Breaker  string // "open": not asked now; "half-open": one job tries it; "refused": see docs/native-lane.md
	Failures int    // silences in a row
	Why      string // of the last one
	Since    time.Time
	Retry    time.Time // when it is tried again
	Untried  int       // jobs that were spared the wait
}

// Disk is what a device is good for.
type Disk string

const (
	DiskFine     Disk = ""          // can be read and written
	DiskReadOnly Disk = "read-only" // still a source, never a target
	DiskFull     Disk = "full"      // takes nothing more, but can be drained
)

// Cursor is where a device stands in a pass: what it takes to go on with the pass
// in another process. The order of a pass follows from its seed.
type Cursor struct {
	Begun   time.Time // of the pass
	Seed    uint32
	Cycle   int    // 0 to 9: which tenth of the partitions has its suffixes listed
	Reached uint64 // every partition whose place in the order is below has been looked at
	Jobs    int    // partitions of the pass
	Done    int    // of them looked at
	Stats   Stats  // of the pass so far
}

// Kind tells what a job does with its partition.
type Kind int

const (
	Update Kind = iota // this device is a primary: bring the other primaries up to date
	Revert             // this device is a handoff: the copies belong elsewhere
)

func (k Kind) String() string {
	if k == Revert {
		return "revert"
	}
	return "update"
}

// Counts are the numbers of one job, with Swift's meaning. They add up to Stats.
type Counts struct {
	Attempted   int
	Failure     int // pairs of (replication ip, device) reported as failed
	HashMatch   int // peers that had nothing to receive
	Remove      int // handoff partitions given up
	Rsync       int // syncs tried, whatever the method
	Success     int // peers tried and not failed
	SuffixCount int // suffixes of the partition
	SuffixHash  int // suffixes hashed before the first peer was asked
	SuffixSync  int // suffixes pushed, per peer
}

// Add adds another job's numbers.
func (c *Counts) Add(o Counts) {
	c.Attempted += o.Attempted
	c.Failure += o.Failure
	c.HashMatch += o.HashMatch
	c.Remove += o.Remove
	c.Rsync += o.Rsync
	c.Success += o.Success
	c.SuffixCount += o.SuffixCount
	c.SuffixHash += o.SuffixHash
	c.SuffixSync += o.SuffixSync
}

// FailureNodes counts failures by replication ip, then device.
type FailureNodes map[string]map[string]int

// Count adds one failure for each node.
func (f FailureNodes) Count(nodes ...Node) {
	for _, n := range nodes {
		f.add(n.ReplicationIP, n.Device, 1)
	}
}

// Add adds another job's failures.
func (f FailureNodes) Add(o FailureNodes) {
	for ip, devices := range o {
		for device, n := range devices {
			f.add(ip, device, n)
		}
	}
}

func (f FailureNodes) add(ip, device string, n int) {
	if f[ip] == nil {
		f[ip] = map[string]int{}
	}
	f[ip][device] += n
}

// Outcome is the end of one job.
type Outcome struct {
	Kind     Kind
	Counts   Counts
	Failures FailureNodes // nil when nothing failed
	Elapsed  time.Duration
	Skipped  bool  // the job was never attempted (Counts.Attempted is 0)
	Remains  bool  // revert: the handoff partition is still there
	Proven   bool  // revert: every file was proven, but it is kept until it has settled
	Err      error // what ended the job early, or nil
	Ill      error // an illness of the disk that was met on the way, or nil
	Bytes    int64 // of objects that went to peers
	Troubles []Trouble
}
