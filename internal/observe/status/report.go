// Package status is the one description of a node that every view shows: the
// control socket, the command line, the page and the metrics. A Report is made of
// one messages.Snapshot and never changed afterwards, so no two views disagree.
package status

import "time"

// Version is that of the document. It grows when a field changes its meaning or
// goes; new fields may come without.
const Version = 1

// Report is a node at one moment. Times are UTC; a zero time is left out. Durations
// are seconds, sizes bytes.
type Report struct {
	Version     int       `json:"version"`
	At          time.Time `json:"at"`
	Program     Program   `json:"program"`
	Verdict     Verdict   `json:"verdict"`
	Paused      *Pause    `json:"paused,omitempty"` // the whole node
	Round       Round     `json:"round"`
	Totals      Totals    `json:"totals"`
	Plot        []Point   `json:"plot"` // the last minutes, oldest first
	Devices     []Device  `json:"devices"`
	Policies    []Policy  `json:"policies"`
	Peers       []Peer    `json:"peers"` // those that are silent, refused or paused
	Settings    Settings  `json:"settings"`
	Events      []Event   `json:"events"` // the newest last, a hundred at most
	Crashes     int       `json:"crashes"`
	Births      int       `json:"births"`
	DeadLetters int       `json:"dead_letters"`
}

// Busy is how many jobs are in flight that may still do something: one that is stuck in a
// call of the kernel may not.
func (r *Report) Busy() (n int) {
	for _, d := range r.Devices {
		for _, j := range d.InFlight {
			if !j.Stuck {
				n++
			}
		}
	}
	return n
}

// Program is who reports.
type Program struct {
	Name    string    `json:"name"` // "object-replicator"
	Version string    `json:"version"`
	Node    string    `json:"node"` // host name
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Config  string    `json:"config"` // path of the configuration
}

// Verdict is what an operator reads first: how it stands and what to do.
type Verdict struct {
	State   State  `json:"state"`
	Summary string `json:"summary"` // one sentence
	Action  string `json:"action"`  // what the operator should do; empty when nothing
}

// State is a verdict in one word.
type State string

// The states of a node, the worst that applies.
const (
	Healthy  State = "healthy"  // every disk is in service, or rests
	Paused   State = "paused"   // an operator holds it back
	Degraded State = "degraded" // some disk or peer is out of service; the rest goes on
	Failing  State = "failing"  // no disk is in service
)

// Pause is an operator's word to hold something back.
type Pause struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // when it ends by itself; left out: never
}

// Round is one go through all devices: what Swift calls a replication pass.
type Round struct {
	Complete int       `json:"complete"`         // rounds ended since the start
	Begun    time.Time `json:"begun,omitzero"`   // of the running one; left out between two
	Done     int       `json:"done"`             // jobs of the devices' running passes
	Jobs     int       `json:"jobs"`             // likewise; grows while disks are listed
	ETA      float64   `json:"eta_seconds"`      // until the slowest device has ended its pass; -1 not known
	Waiting  []string  `json:"waiting,omitzero"` // devices that have not ended their pass
}

// Totals count since the start of the process, devices that left included.
type Totals struct {
	Jobs     int64 `json:"jobs"`
	Failures int64 `json:"failures"`
	Bytes    int64 `json:"bytes"`   // of objects pushed to peers
	Hashed   int64 `json:"hashed"`  // suffixes
	Pushed   int64 `json:"pushed"`  // suffixes, per peer
	Removed  int64 `json:"removed"` // handoff partitions given up
	Rates
}

// Rates are means of the last minute.
type Rates struct {
	JobRate  float64 `json:"jobs_per_second"`
	ByteRate float64 `json:"bytes_per_second"`
}

// Point is one sample of a plot: the node's rates since the point before.
type Point struct {
	At time.Time `json:"at"`
	Rates
}

// Device is one disk.
type Device struct {
	Name      string         `json:"name"`
	State     string         `json:"state"` // see messages.State…
	InService bool           `json:"in_service"`
	Since     time.Time      `json:"since"`
	Disk      string         `json:"disk"` // "fine", "read-only", "full"
	Why       string         `json:"why,omitempty"`
	Action    string         `json:"action,omitempty"`
	Paused    *Pause         `json:"paused,omitempty"` // this device alone
	Stuck     int            `json:"stuck"`            // calls that have not returned in time
	Restarts  int            `json:"restarts"`
	Pass      Pass           `json:"pass"`              // the running or the last one
	Complete  time.Time      `json:"complete,omitzero"` // end of the last complete pass
	Passes    int            `json:"passes"`            // complete ones since the start
	Handoffs  int            `json:"handoffs"`          // left by the last pass
	ETA       float64        `json:"eta_seconds"`       // of the running pass; -1 not known, 0 none runs
	Failures  []Cause        `json:"failures"`          // of that pass, the most frequent first
	LastError *Trouble       `json:"last_error,omitempty"`
	InFlight  []Job          `json:"in_flight"`
	History   []Pass         `json:"history"` // ended passes, the newest last, ten at most
	Waiting   int            `json:"waiting"` // partitions that wait
	Totals    Totals         `json:"totals"`
	Peers     map[string]int `json:"failed_peers,omitempty"` // failures of the pass by "ip/device"
}

// Pass is one go through the partitions of a disk.
type Pass struct {
	Begun   time.Time `json:"begun,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Running bool      `json:"running"`
	Done    int       `json:"done"`
	Jobs    int       `json:"jobs"`
	Cut     string    `json:"cut,omitempty"` // why it ended early
	Stats   Stats     `json:"stats"`
	Bytes   int64     `json:"bytes"`
}

// Stats are the numbers of a pass under Swift's names.
type Stats struct {
	Attempted   int `json:"attempted"`
	Failure     int `json:"failure"`
	HashMatch   int `json:"hashmatch"`
	Remove      int `json:"remove"`
	Rsync       int `json:"rsync"`
	Success     int `json:"success"`
	SuffixCount int `json:"suffix_count"`
	SuffixHash  int `json:"suffix_hash"`
	SuffixSync  int `json:"suffix_sync"`
}

// Cause is a kind of failure and how many jobs it has ended or disturbed.
type Cause struct {
	Why   string `json:"why"` // see messages.Cause…
	Count int    `json:"count"`
}

// Trouble is an error of a job.
type Trouble struct {
	At        time.Time `json:"at"`
	Policy    int       `json:"policy"`
	Partition uint32    `json:"partition"`
	Text      string    `json:"text"`
}

// Job is a partition in flight.
type Job struct {
	Kind      string    `json:"kind"` // "update", "revert", "survey"
	Policy    int       `json:"policy"`
	Partition uint32    `json:"partition"`        // of a survey: 0
	Survey    int       `json:"survey,omitempty"` // partitions that it compares
	Phase     string    `json:"phase"`            // see messages.Phase…
	Peer      string    `json:"peer,omitempty"`
	Begun     time.Time `json:"begun"`
	Since     time.Time `json:"since"` // of the phase
	Bytes     int64     `json:"bytes"` // pushed so far
	Stuck     bool      `json:"stuck"`
}

// Policy is one replication policy.
type Policy struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	State  string `json:"state"` // "active", "paused", "part power change", "no ring", "not in the ring"
	Why    string `json:"why,omitempty"`
	Paused *Pause `json:"paused,omitempty"`
}

// Peer is a node, or one device of it, that is not asked at the moment.
type Peer struct {
	Name     string    `json:"name"`    // ip:port or ip:port/device
	Lane     string    `json:"lane"`    // "replicate", "sync", "native"; empty for a paused one
	Breaker  string    `json:"breaker"` // "open", "half-open", "refused", "paused"
	Failures int       `json:"failures"`
	Why      string    `json:"why,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Retry    time.Time `json:"retry,omitzero"`
	Spared   int       `json:"spared"` // jobs that were spared the wait
}

// Settings are what can be changed while the engine runs.
type Settings struct {
	Profile string    `json:"profile"`        // "client-first", "balanced", "drain", "custom"
	Until   time.Time `json:"until,omitzero"` // when the profile ends by itself
	Limits  Limits    `json:"limits"`         // in force
	Config  Limits    `json:"config"`         // what the configuration says
	Differ  []string  `json:"differ"`         // names of limits in force that are not the configuration's
	Stored  bool      `json:"persisted"`      // the settings in force outlive a restart
}

// Limits bound what the engine does. 0 is no bound.
type Limits struct {
	Jobs        int     `json:"jobs"`                    // in flight in the node, at least 1
	DeviceJobs  int     `json:"device_jobs"`             // in flight on one disk
	Bytes       int64   `json:"bytes_per_second"`        // pushed by the node
	DeviceBytes int64   `json:"device_bytes_per_second"` // pushed from one disk
	Hashes      float64 `json:"hashes_per_second"`       // suffixes hashed by the node
	Tranquility float64 `json:"tranquility"`             // rest after a job, in durations of that job
	// HandoffsFirst lets revert jobs go first, as handoffs_first of the configuration.
	HandoffsFirst bool `json:"handoffs_first"`
}

// Event is one thing that supervision has seen.
type Event struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"` // "crash", "birth", "dead letter", "control", "device"
	Subject   string    `json:"subject"`
	Directive string    `json:"directive,omitempty"`
	Why       string    `json:"why,omitempty"`
}
