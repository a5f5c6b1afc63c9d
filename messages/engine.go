package messages

import "time"

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
	Stats Stats
	Err   error
}

// GetSnapshot asks the recorder, through the supervisor, for a Snapshot.
type GetSnapshot struct{}

// Snapshot is a copy of what the recorder knows; nobody changes it afterwards.
type Snapshot struct {
	At      time.Time
	Rounds  int              // complete rounds since the start
	Devices []DeviceSnapshot // sorted by name
}

// DeviceSnapshot is one device's line in a Snapshot.
type DeviceSnapshot struct {
	Device   string
	State    string    // resting, listing, running, stalled, backing-off
	Since    time.Time // when the state began
	Jobs     int       // jobs of the running or last pass
	Done     int       // jobs ended
	Handoffs int       // handoff partitions left by the last pass
	Stats    Stats     // numbers of the running or last pass
	Passes   int       // passes that reached their last job
	Cut      string    // why the last pass was cut short, or empty
	Restarts int       // crashes of its actor
}

// DeviceState says that a device has entered a state. Sender: device, or the
// supervisor for a device whose actor is gone. Receiver: recorder.
type DeviceState struct {
	Device string
	State  string
}

// The states of a device, with one spelling everywhere.
const (
	StateResting    = "resting"     // between two passes
	StateListing    = "listing"     // reading which partitions there are
	StateRunning    = "running"     // jobs in flight
	StateStalled    = "stalled"     // a call on the disk has not returned in time
	StateBackingOff = "backing-off" // its actor crashed and waits to be born again
)
