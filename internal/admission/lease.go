package admission

import "time"

// Direction is which end of a push a disk is.
type Direction uint8

// The directions.
const (
	In  Direction = iota // the disk receives
	Out                  // the disk sends
)

// Priority is what a push is for.
type Priority uint8

// The priorities, lowest first. Ceph's order: data that lacks a copy before data that
// is whole and lies in the wrong place.
const (
	Misplaced Priority = iota // a handoff goes to its primaries
	Degraded                  // a primary lacks what others have
)

// Slot is one disk of the ledger's node in one direction.
type Slot struct {
	Device    string
	Direction Direction
}

// Lease names a reservation, for ever. Its holder makes the name, so that any message
// about it may be lost, come twice or come late.
type Lease struct {
	Holder string // the node that asks
	Epoch  uint64 // of its process; a later process has a higher one
	Job    string // what it wants to do; one job has one lease of a slot at most
	Try    uint64 // grows with each new reservation of the process
}

// Request asks for a lease.
type Request struct {
	Lease    Lease
	Slot     Slot
	Priority Priority
	Waited   time.Duration // since the job asked for the first time, in whatever try
}

// Answer says yes, or when to ask again.
type Answer struct {
	Granted bool
	Term    time.Duration // how long it lasts unless it is renewed; 0: nobody keeps account of it
	After   time.Duration // when not granted
}

// mostWaited bounds what is believed of a Waited.
const mostWaited = 24 * time.Hour
