package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"understudy/internal/plan"
	"understudy/messages"
)

// DryRun goes through the partitions of a node's disks as a pass does, and changes
// nothing. It keeps sums, and nothing of a partition once it is through with it.
type DryRun struct {
	*Explainer
	Rings   []messages.PolicyRing
	Devices []string                                // only these; none: all
	Wanted  func(policy int, partition uint32) bool // nil: all
	Limit   int                                     // of the partitions of a device; 0: none
	Done    func(n int64)                           // called with each partition; may be nil
}

// Pass is what a pass would do.
type Pass struct {
	Devices []PassDevice `json:"devices"`
	Left    []string     `json:"left_alone"` // policies, and why
}

// PassDevice is what a pass would do on one device.
type PassDevice struct {
	Device     string     `json:"device"`
	Errors     []string   `json:"errors,omitempty"` // what kept it from being listed
	Partitions int        `json:"partitions"`
	InSync     int        `json:"in_sync"`  // updates with nothing to push
	Updates    int        `json:"updates"`  // updates that would push something
	Handoffs   int        `json:"handoffs"` // partitions that belong elsewhere
	Objects    int        `json:"handoff_objects"`
	LeftAlone  int        `json:"left_alone"` // outside the ring
	Failed     int        `json:"failed"`     // could not be looked at, or no peer answered for them
	Limited    bool       `json:"limited"`    // there are more than the limit
	Peers      []PassPeer `json:"peers"`
}

// PassPeer is what one peer would get from a device.
type PassPeer struct {
	Address    string `json:"address"`
	Device     string `json:"device"`
	Pushes     int    `json:"pushes"`     // partitions of which suffixes would be pushed
	Suffixes   int    `json:"suffixes"`   // in them
	Handoffs   int    `json:"handoffs"`   // handoff partitions that would be offered
	Unanswered int    `json:"unanswered"` // questions without a usable answer
}

var errLimit = errors.New("limit reached")

// Run goes through the devices, all at the same time. Its error is that ctx has ended.
func (d *DryRun) Run(ctx context.Context) (*Pass, error) {
	p := &Pass{Devices: []PassDevice{}, Left: []string{}}
	for _, r := range d.Rings {
		switch {
		case r.Ring == nil:
			p.Left = append(p.Left, fmt.Sprintf("policy %d: %v", r.Policy.Index, r.Err))
		case r.Ring.NextPartPower():
			p.Left = append(p.Left, fmt.Sprintf("policy %d: a part power increase is under way", r.Policy.Index))
		}
	}
	for _, name := range plan.LocalDevices(&messages.View{Policies: d.Rings}) {
		if len(d.Devices) == 0 || slices.Contains(d.Devices, name) {
			p.Devices = append(p.Devices, PassDevice{Device: name, Peers: []PassPeer{}})
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	for i := range p.Devices {
		all.Go(func() (err error) {
			p.Devices[i], err = d.watched(ctx, p.Devices[i].Device)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return p, nil
}

// patience is how many times the timeout a device may go without a partition done.
const patience = 5

// watched goes through one device, and leaves it behind when it hangs.
func (d *DryRun) watched(ctx context.Context, name string) (PassDevice, error) {
	var done atomic.Int64
	end := make(chan PassDevice, 1)
	go func() {
		sums := PassDevice{Device: name, Peers: []PassPeer{}}
		d.device(ctx, &sums, &done)
		end <- sums
	}()
	tick := time.NewTicker(patience * d.Timeout)
	defer tick.Stop()
	for before := int64(-1); ; {
		select {
		case sums := <-end:
			return sums, ctx.Err()
		case <-ctx.Done():
			return PassDevice{}, ctx.Err()
		case <-tick.C:
			now := done.Load()
			if now == before {
				why := fmt.Sprintf("%v for %s; it was left after %d partitions", errHangs, patience*d.Timeout, now)
				return PassDevice{Device: name, Peers: []PassPeer{}, Errors: []string{why}}, nil
			}
			before = now
		}
	}
}

// device goes through one device, policy by policy, as its directories list them.
func (d *DryRun) device(ctx context.Context, sums *PassDevice, done *atomic.Int64) {
	for _, r := range d.Rings {
		if r.Ring == nil || r.Ring.NextPartPower() || !slices.ContainsFunc(r.Ring.Local(), func(n messages.Node) bool { return n.Device == sums.Device }) {
			continue
		}
		limited, stop := context.WithCancelCause(ctx)
		err := d.Store.List(limited, sums.Device, r.Policy.Index, func(l messages.Listing) {
			for _, number := range l.Partitions {
				if limited.Err() != nil {
					return
				}
				if d.Wanted != nil && !d.Wanted(r.Policy.Index, number) {
					continue
				}
				if d.Limit > 0 && sums.Partitions == d.Limit {
					sums.Limited = true
					stop(errLimit)
					return
				}
				d.one(limited, sums, r, number)
				done.Add(1)
			}
		})
		stop(nil)
		var create *messages.CreateError
		if err != nil && !sums.Limited && !errors.As(err, &create) { // a policy's directory that is to be made is empty
			sums.Errors = append(sums.Errors, err.Error())
		}
		if sums.Limited {
			return
		}
	}
}

// one adds one partition to the sums.
func (d *DryRun) one(ctx context.Context, sums *PassDevice, r messages.PolicyRing, number uint32) {
	h := d.Explainer.device(ctx, r.Ring, messages.Partition{Device: sums.Device, Policy: r.Policy.Index, Number: number})
	if d.Done != nil {
		d.Done(1)
	}
	if !h.Held && h.Error == "" {
		return // gone meanwhile
	}
	sums.Partitions++
	pushes, unanswered := 0, 0
	for i := range h.Peers {
		p := &h.Peers[i]
		to := sums.peer(p)
		switch {
		case h.Role == "handoff":
			to.Handoffs++
		case p.State == PeerDiffers:
			pushes++
			to.Pushes++
			to.Suffixes += len(p.Lacks) + len(p.Others)
		case p.State == PeerFailed, p.State == PeerUnmounted:
			unanswered++
			to.Unanswered++
		}
	}
	switch {
	case h.Error != "":
		sums.Failed++
	case number >= r.Ring.Partitions():
		sums.LeftAlone++
	case h.Role == "handoff":
		sums.Handoffs++
		sums.Objects += h.Objects
	case pushes > 0:
		sums.Updates++
	case unanswered > 0:
		sums.Failed++
	default:
		sums.InSync++
	}
}

func (s *PassDevice) peer(p *Peer) *PassPeer {
	i, found := slices.BinarySearchFunc(s.Peers, p, func(have PassPeer, want *Peer) int {
		return cmp.Or(cmp.Compare(have.Address, want.Address), cmp.Compare(have.Device, want.Device))
	})
	if !found {
		s.Peers = slices.Insert(s.Peers, i, PassPeer{Address: p.Address, Device: p.Device})
	}
	return &s.Peers[i]
}
