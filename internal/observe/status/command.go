package status

import (
	"context"
	"fmt"
	"time"
)

// Engine is what the views see of a running engine. Both methods are safe for
// concurrent use and bounded by ctx.
type Engine interface {
	// Report is the engine at this moment.
	Report(ctx context.Context) (*Report, error)
	// Do carries a command out. A *Refusal says that the command makes no sense or
	// names something unknown; nothing has been changed then.
	Do(ctx context.Context, c Command) (*Done, error)
}

// Command is one of PauseCommand, ResumeCommand, RunPass, Front, Retry, SetLimits, SetProfile, ApplyFaults
// and ClearFaults.
type Command interface{ command() }

// Scope is what a pause holds back.
type Scope string

// The scopes of a pause.
const (
	ScopeNode   Scope = "node"
	ScopeDevice Scope = "device" // by name
	ScopePolicy Scope = "policy" // by index or name
	ScopePeer   Scope = "peer"   // ip, ip:port or ip:port/device
)

// PauseCommand holds something back: no new job begins; those in flight end. A paused policy is
// left out of passes, a paused peer counts as one that does not answer.
type PauseCommand struct {
	Scope Scope         `json:"scope"`
	Name  string        `json:"name,omitempty"` // not of the node
	For   time.Duration `json:"-"`              // 0: until resumed
}

// ResumeCommand ends a pause.
type ResumeCommand struct {
	Scope Scope  `json:"scope"`
	Name  string `json:"name,omitempty"`
}

// RunPass makes devices that rest begin a pass now, and those out of service be probed
// now.
type RunPass struct {
	Device string `json:"device,omitempty"` // empty: all
}

// Front makes partitions go next on the devices that have them: in the running pass, or
// first in the next one.
type Front struct {
	Device     string   `json:"device,omitempty"` // empty: all that have them
	Policy     int      `json:"policy"`
	Partitions []uint32 `json:"partitions"` // 1 to 1000
}

// Retry makes the partitions whose job failed in the running or last pass go next, now: a
// device that rests begins its pass with them.
type Retry struct {
	Device string `json:"device,omitempty"` // empty: all
}

// SetLimits changes limits; those that are nil stay. Reset goes back to the
// configuration first.
type SetLimits struct {
	Jobs        *int     `json:"jobs,omitempty"`
	DeviceJobs  *int     `json:"device_jobs,omitempty"`
	Bytes       *int64   `json:"bytes_per_second,omitempty"`
	DeviceBytes *int64   `json:"device_bytes_per_second,omitempty"`
	Hashes      *float64 `json:"hashes_per_second,omitempty"`
	Tranquility *float64 `json:"tranquility,omitempty"`
	Reset       bool     `json:"reset,omitempty"`
	Persist     bool     `json:"persist,omitempty"` // they outlive a restart
}

// SetProfile turns to a set of limits by name.
type SetProfile struct {
	Profile string        `json:"profile"` // "client-first", "balanced", "drain"
	For     time.Duration `json:"-"`       // 0: drain for an hour, others until changed
	Persist bool          `json:"persist,omitempty"`
}

func (PauseCommand) command()  {}
func (ResumeCommand) command() {}
func (RunPass) command()       {}
func (Front) command()         {}
func (Retry) command()         {}
func (SetLimits) command()     {}
func (SetProfile) command()    {}

// Done tells what a command has done.
type Done struct {
	Message string   `json:"message"`           // one line for a person
	Devices []string `json:"devices,omitempty"` // those that it concerned
	Count   int      `json:"count"`             // partitions brought forward, passes begun, jobs still in flight
}

// Refusal is a command that cannot be carried out.
type Refusal struct {
	Unknown   bool // it names a device, policy, peer, or profile that there is not
	Forbidden bool // the configuration does not allow it
	Why       string
}

func (r *Refusal) Error() string { return r.Why }

// Refuse makes a Refusal.
func Refuse(format string, args ...any) *Refusal { return &Refusal{Why: fmt.Sprintf(format, args...)} }
