package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"understudy/internal/plan"
	"understudy/internal/store"
	"understudy/messages"
)

// Explainer tells what a job of a partition would do now.
type Explainer struct {
	Store   *store.Store  // over ReadOnly
	Timeout time.Duration // of each look at a disk

	// Ask asks a peer for its suffix hashes. It has its own timeouts. nil: nobody is asked.
	Ask func(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error)

	Never         string // why the policy is not replicated at all, or empty
	HandoffDelete int
	CheckRemote   bool // a remote region's further primaries are only asked (sync_method = ssync)
}

// maxHandoffs is how many handoffs of a partition are told.
const maxHandoffs = 3

// Explanation is what is known of one partition from one node.
type Explanation struct {
	Partition  uint32    `json:"partition"`
	Policy     int       `json:"policy"`
	PolicyName string    `json:"policy_name"`
	Object     string    `json:"object,omitempty"` // what was asked for, if it was an object
	Hash       string    `json:"hash,omitempty"`   // its hash directory
	Partitions uint32    `json:"ring_partitions"`
	Replicas   float64   `json:"ring_replicas"`
	Primaries  []Place   `json:"primaries"`
	Handoffs   []Place   `json:"handoffs"` // the first few
	Devices    []Holding `json:"devices"`  // local ones that have the partition or should have it
	LeftAlone  string    `json:"left_alone,omitempty"`
}

// Place is a device of the ring.
type Place struct {
	Address string `json:"address"` // ip:port of the replication server
	Device  string `json:"device"`
	Region  int    `json:"region"`
	Zone    int    `json:"zone"`
	Local   bool   `json:"local"`
}

// Holding is one local device's part in a partition.
type Holding struct {
	Device string `json:"device"`
	Role   string `json:"role"` // "primary", "handoff" or "none"
	Path   string `json:"path"`
	Held   bool   `json:"held"`            // the partition's directory is there
	Error  string `json:"error,omitempty"` // what keeps it from being looked at

	Cache    *Cache            `json:"cache,omitempty"`
	Hashes   map[string]string `json:"hashes,omitempty"`   // as the next look would tell them
	Hashed   int               `json:"hashed,omitempty"`   // suffixes that it would hash afresh
	Broken   []string          `json:"broken,omitempty"`   // suffixes that cannot be hashed as they are
	Suffixes int               `json:"suffixes,omitempty"` // of a handoff
	Objects  int               `json:"objects,omitempty"`  // of a handoff
	Files    int               `json:"files,omitempty"`    // of a handoff

	Peers   []Peer   `json:"peers,omitempty"`
	Verdict []string `json:"verdict"` // what a job would do now, in words
}

// Peer is what a peer answered, and what it would be sent.
type Peer struct {
	Place
	State  string   `json:"state"` // one of the Peer constants
	Why    string   `json:"why,omitempty"`
	Lacks  []string `json:"lacks,omitempty"`  // suffixes that it does not have
	Others []string `json:"others,omitempty"` // suffixes that it has otherwise
	Here   bool     `json:"here,omitempty"`   // a device of this node: read, not asked
}

// What a Peer's State can be.
const (
	PeerInSync    = "in sync"
	PeerDiffers   = "differs"
	PeerUnmounted = "unmounted" // a handoff takes its place
	PeerFailed    = "failed"
	PeerNotAsked  = "not asked"
	PeerServed    = "served" // its region has got a copy already
)

// Explain explains a partition of a policy. Devices are looked at one after the other;
// one that cannot be looked at is told of and does not hide the others.
func (e *Explainer) Explain(ctx context.Context, policy messages.Policy, ring messages.Ring, part uint32) (*Explanation, error) {
	x := &Explanation{
		Partition: part, Policy: policy.Index, PolicyName: policy.Name, Partitions: ring.Partitions(), Replicas: ring.Replicas(),
		Primaries: []Place{}, Handoffs: []Place{}, Devices: []Holding{},
	}
	x.LeftAlone = e.leftAlone(ring, part)
	primary := map[int]bool{}
	for _, n := range ring.Primaries(part) {
		primary[n.ID] = true
		x.Primaries = append(x.Primaries, placeOf(ring, n))
	}
	if part < ring.Partitions() {
		for n := range ring.Handoffs(part) {
			if len(x.Handoffs) == maxHandoffs {
				break
			}
			x.Handoffs = append(x.Handoffs, placeOf(ring, n))
		}
	}
	for _, n := range ring.Local() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h := e.device(ctx, ring, messages.Partition{Device: n.Device, Policy: policy.Index, Number: part})
		if h.Held || h.Role == "primary" || h.Error != "" {
			x.Devices = append(x.Devices, h)
		}
	}
	slices.SortFunc(x.Devices, func(a, b Holding) int { return compare(a.Device, b.Device) })
	return x, nil
}

func (e *Explainer) leftAlone(ring messages.Ring, part uint32) string {
	switch {
	case e.Never != "":
		return e.Never
	case part >= ring.Partitions():
		return fmt.Sprintf("outside the ring, which has partitions 0 to %d", ring.Partitions()-1)
	case ring.NextPartPower():
		return "a part power increase of the policy is under way"
	}
	return ""
}

// device looks at one local device and tells what its job would do.
func (e *Explainer) device(ctx context.Context, ring messages.Ring, p messages.Partition) Holding {
	h := Holding{Device: p.Device, Role: "none", Path: e.Store.PartitionPath(p), Verdict: []string{}}
	role, ok := plan.RoleOf(ring, p.Device, p.Number)
	switch {
	case ok && role.Kind == messages.Update:
		h.Role = "primary"
	case ok:
		h.Role = "handoff"
	}
	cache, err := within(ctx, e.Timeout, func(ctx context.Context) (*Cache, error) {
		if err := e.Store.Check(ctx, p.Device); err != nil {
			return nil, err
		}
		return ReadCache(h.Path)
	})
	switch {
	case isMissing(err):
		h.say("nothing: the partition is not on this device, and jobs begin with what is")
		if h.Role == "primary" {
			h.say("the other primaries push it here")
		}
		return h
	case err != nil:
		h.trouble(err)
		return h
	}
	h.Held, h.Cache = true, cache
	if why := e.leftAlone(ring, p.Number); why != "" {
		h.say("left alone: %s", why)
		return h
	}
	if role.Kind == messages.Revert {
		e.handoff(ctx, &h, ring, p, role)
	} else {
		e.primary(ctx, &h, ring, p, role)
	}
	return h
}

func (h *Holding) say(format string, args ...any) {
	h.Verdict = append(h.Verdict, fmt.Sprintf(format, args...))
}

// trouble tells why a device cannot be looked at, and what the engine makes of it.
func (h *Holding) trouble(err error) {
	var device *messages.DeviceError
	var file *messages.NotDirectoryError
	switch {
	case errors.As(err, &device):
		h.Error = device.Message
		h.say("left alone: %s", device.Message)
	case errors.As(err, &file), isNoDirectory(err):
		h.Error = "the partition is a file"
		h.say("not a directory: an empty file would be removed, another quarantined")
	case errors.Is(err, messages.ErrPartitionLocked):
		h.Error = err.Error()
		h.say("left for the next pass: the partition is locked by another")
	default:
		h.Error = err.Error()
		h.say("the job would fail: %v", err)
	}
}

func placeOf(ring messages.Ring, n messages.Node) Place {
	return Place{
		Address: address(n), Device: n.Device, Region: n.Region, Zone: n.Zone, Local: isLocal(ring, n),
	}
}

func isLocal(ring messages.Ring, n messages.Node) bool {
	return slices.ContainsFunc(ring.Local(), func(l messages.Node) bool { return l.ID == n.ID })
}
