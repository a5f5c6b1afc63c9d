package messages

import (
	"maps"
	"time"
)

// Course is what an operator has asked of the running engine. It is immutable: a
// change makes another one.
type Course struct {
	Limits   Limits           // in force
	Config   Limits           // what the configuration says
	Profile  string           // one of the Profile… constants
	Until    time.Time        // when the profile ends by itself, zero for never
	Stored   bool             // limits and profile outlive a restart
	Node     *Pause           // nil: not paused
	Devices  map[string]Pause // by name
	Policies map[int]Pause    // by index
	Peers    map[string]Pause // by ip, ip:port or ip:port/device
}

// Limits bound what the engine does. 0 is no bound.
type Limits struct {
	Jobs          int     // in flight in the node, at least 1
	DeviceJobs    int     // in flight on one disk
	Bytes         int64   // pushed by the node, a second
	DeviceBytes   int64   // pushed from one disk, a second
	Hashes        float64 // suffixes hashed by the node, a second
	Tranquility   float64 // rest after a job, in durations of that job
	HandoffsFirst bool    // revert jobs first; update jobs only when no handoff is left
}

// Pause is an operator's word to hold something back.
type Pause struct {
	Since time.Time
	Until time.Time // when it ends by itself, zero for never
}

// The profiles.
const (
	ProfileClientFirst = "client-first" // leaves the disks to clients
	ProfileBalanced    = "balanced"     // what the configuration says
	ProfileDrain       = "drain"        // handoffs first and without rest
	ProfileCustom      = "custom"       // limits set one by one
)

// PausedDevice tells whether no job may begin on a device.
func (c *Course) PausedDevice(name string) bool {
	_, paused := c.Devices[name]
	return paused || c.Node != nil
}

// PausedPolicy tells whether a policy is left out of passes.
func (c *Course) PausedPolicy(index int) bool {
	_, paused := c.Policies[index]
	return paused
}

// Copy is a Course that can be changed without changing this one.
func (c *Course) Copy() *Course {
	next := *c
	next.Devices, next.Policies, next.Peers = maps.Clone(c.Devices), maps.Clone(c.Policies), maps.Clone(c.Peers)
	return &next
}

// CourseChanged carries a new Course. Sender: supervisor. Receivers: devices,
// budget, recorder.
type CourseChanged struct{ Course *Course }

// Steer asks the supervisor to change the course. Change gets a copy of the present
// one and the time; an error of its leaves all as it was. The answer is Steered.
type Steer struct {
	Subject string // what is changed and how, for the log and the events
	Change  func(c *Course, now time.Time) error
}

// Steered is the answer to Steer.
type Steered struct {
	Course *Course // the one in force now
	Err    error
}

// ToDevice has a message handed to a device, which answers the sender: Forwarded.
// Receiver: supervisor, which answers in its place when there is no such device or its
// actor has just crashed.
type ToDevice struct {
	Device  string
	Message any // *RunPass, *Front or *Retry
}

// RunPass makes a device that rests begin its pass, and one that is out of service be
// probed now.
type RunPass struct{}

// Front makes partitions go next: those that wait in the running pass at once, others
// first in the next pass, if they are there then.
type Front struct {
	Policy     int
	Partitions []uint32
}

// Retry makes the partitions whose job failed in the running or last pass go next. A
// device that rests begins its pass with them.
type Retry struct{}

// Forwarded is a device's answer to a message of ToDevice.
type Forwarded struct {
	Known bool   // there is such a device
	Began bool   // RunPass, Retry: a pass begins now
	State string // of the device before
	Count int    // Front: of those that wait; Retry: all that go next
}
