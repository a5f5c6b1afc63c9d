package messages

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// RingsChanged carries a new view of the rings. Sender: ring watcher to the
// supervisor, and the supervisor to its devices and the recorder. A device uses
// it from its next job on; jobs in flight keep the ring they started with.
type RingsChanged struct {
	View *View
}

// DevicesChanged tells the recorder which devices this node works on.
// Sender: supervisor.
type DevicesChanged struct {
	Devices []string // sorted, without repeats
}

// RunDone is published on the actor system's event stream when the engine has
// nothing left to do: in script mode after its one round, in any mode when the
// supervisor gives up. Err is nil for an orderly end, even if partitions failed.
type RunDone struct {
	Engine *actor.PID // the supervisor; nil when it gave up
	Stats  Stats
	Err    error
}

// GetSnapshot asks the recorder, through the supervisor, for a Snapshot.
type GetSnapshot struct{}

// Alive asks the supervisor whether it works off its mailbox. It answers Living.
type Alive struct{}

// Living is the answer to Alive.
type Living struct{}

// Snapshot is a copy of what the recorder knows; nobody changes it afterwards.
type Snapshot struct {
	At          time.Time
	Rounds      int              // complete rounds since the start
	Round       time.Time        // begin of the running one, zero between two
	Waiting     []string         // devices that have not ended their pass in it, sorted
	Devices     []DeviceSnapshot // sorted by name
	Policies    []PolicyRing     // of the newest rings
	Peers       []PeerState      // those that are silent
	Course      *Course          // never nil
	Totals      Totals           // since the start
	Rates       Rates            // of the last minute
	Plot        []Point          // of the last minutes, the oldest first
	Supervision Supervision
}

// Totals count since the start of the engine.
type Totals struct {
	Jobs    int64
	Bytes   int64 // of objects that went to peers
	Failure int64 // as Counts.Failure
	Hashed  int64 // suffixes
	Pushed  int64 // suffixes, for each peer
	Removed int64 // handoff partitions given up
}

// Rates are means over some time, each a second.
type Rates struct {
	Jobs  float64
	Bytes float64
}

// Point is the node's rates since the point before.
type Point struct {
	At time.Time
	Rates
}

// PassRecord is a pass that has ended.
type PassRecord struct {
	Begun, Ended time.Time
	Jobs, Done   int
	Cut          string // why it ended early, or empty
	Stats        Stats
	Bytes        int64
}

// LastTrouble is the newest failure of a device's jobs.
type LastTrouble struct {
	At        time.Time
	Partition Partition
	Trouble
}

// DeviceSnapshot is one device's line in a Snapshot.
type DeviceSnapshot struct {
	Device   string
	State    string    // one of the states below
	Disk     Disk      // what its disk is good for
	Why      string    // of a state that is not the ordinary one
	Since    time.Time // when the state began
	Stuck    int       // calls that have not returned in time, each with a thread of its own
	Jobs     int       // jobs of the running or last pass
	Done     int       // jobs ended
	Handoffs int       // handoff partitions left by the last pass
	Stats    Stats     // numbers of the running or last pass
	Begun    time.Time // of the running or last pass, zero before the first
	Complete time.Time // end of the last pass that reached its last job, zero before the first
	Passes   int       // passes that reached their last job
	Cut      string    // why the last pass was cut short, or empty
	Restarts int       // crashes of its actor
	Bytes    int64     // pushed in the running or last pass
	Waiting  int       // partitions of the running pass that have no job yet
	Causes   map[Cause]int
	Trouble  *LastTrouble     // nil: none since the start
	Flights  []FlightSnapshot // the oldest first
	History  []PassRecord     // the newest last, ten at most
	Totals   Totals
	Rates    Rates // of the last minute
}

// DeviceState says that a device has entered a state. Sender: device, or the
// supervisor for a device whose actor is gone. Receiver: recorder.
type DeviceState struct {
	Device string
	State  string
	Disk   Disk
	Why    string
	Stuck  int
}

// The states of a device, with one spelling everywhere.
const (
	StateResting    = "resting"     // between two passes
	StateListing    = "listing"     // reading which partitions there are; jobs begin meanwhile
	StateRunning    = "running"     // all partitions are known, jobs in flight
	StateUnmounted  = "unmounted"   // the disk is not there
	StateFailing    = "failing"     // the disk answers with errors
	StateStalled    = "stalled"     // a call on the disk has not returned in time
	StateBackingOff = "backing-off" // its actor crashed and waits to be born again
)

// OutOfService tells whether a device in a state does no work, and why is told.
func OutOfService(state string) bool {
	switch state {
	case StateUnmounted, StateFailing, StateStalled, StateBackingOff:
		return true
	}
	return false
}

// Supervision counts what supervision has seen since the start.
type Supervision struct {
	Crashes     int                // actors that panicked, by whatever message
	Births      int                // successors that were born after a crash
	DeadLetters int                // messages to actors that were gone, late answers left out
	Late        int                // answers to actors that were gone: expected after stops
	Recent      []SupervisionEvent // the newest last, a hundred at most
}

// SupervisionEvent is one thing that supervision has seen. Sender: supervisor.
// Receiver: recorder.
type SupervisionEvent struct {
	At        time.Time
	Kind      string // one of those below
	Actor     string // id, or the name of a device for a birth
	Directive string // of a crash: "stop", "escalate"
	Why       string // the panic, or the type of the message
}

// The kinds of a SupervisionEvent.
const (
	EventCrash      = "crash"
	EventBirth      = "birth"
	EventDeadLetter = "dead letter"
	EventLate       = "late answer"
	EventControl    = "control" // an operator's word
	EventDevice     = "device"  // one left its service or came back
)
