package status

import "time"

// Faults is a fault plan in force: things go wrong on purpose.
type Faults struct {
	Since  time.Time    `json:"since"`
	Until  time.Time    `json:"until,omitzero"` // when it ends by itself; left out: never
	Plan   string       `json:"plan"`           // as it can be applied again
	Fired  int          `json:"fired"`          // how often something has gone wrong by it
	Counts []FaultCount `json:"counts"`         // of each fault, in the plan's order
}

// FaultCount is how often a fault of a plan was in question and happened.
type FaultCount struct {
	Fault string `json:"fault"`
	Seen  int    `json:"seen"`
	Fired int    `json:"fired"`
}

// ApplyFaults puts a fault plan in force, in place of the one before.
type ApplyFaults struct {
	Plan string        `json:"plan"` // see docs/experiments.md
	For  time.Duration `json:"-"`    // 0: FaultsFor; at most FaultsMost
}

// ClearFaults ends the plan in force: what hangs by it goes on.
type ClearFaults struct{}

// How long a plan lasts when nothing is said, and at most.
const (
	FaultsFor  = 10 * time.Minute
	FaultsMost = 24 * time.Hour
)

func (ApplyFaults) command() {}
func (ClearFaults) command() {}
