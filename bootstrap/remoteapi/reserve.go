package remoteapi

import (
	"fmt"
	"math"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/durationpb"

	"understudy/internal/admission"
	"understudy/messages/controlpb"
)

// mostJob is how long the name of a job may be, in bytes.
const mostJob = 512

// reservation answers what is asked about leases, nil for any other request. It does not
// block. The holder of a lease is where its asker is found, which the gate has verified: a
// message cannot name the lease of somebody else.
func (a *Admission) reservation(from *actor.PID, m *controlpb.Request) *controlpb.Reply {
	var device string
	var id *controlpb.Lease
	switch q := m.Command.(type) {
	case *controlpb.Request_Reserve:
		device, id = q.Reserve.GetDevice(), q.Reserve.GetLease()
	case *controlpb.Request_Renew:
		device, id = q.Renew.GetDevice(), q.Renew.GetLease()
	case *controlpb.Request_Release:
		device, id = q.Release.GetDevice(), q.Release.GetLease()
	default:
		return nil
	}
	switch {
	case !speaks(m):
		return otherVersion(m)
	case a == nil:
		return failed(controlpb.Error_NOT_OFFERED, "this node keeps no account of pushes")
	case !a.owns(device):
		return failed(controlpb.Error_UNKNOWN_NAME, fmt.Sprintf("no device %.100q here", device))
	case id.GetEpoch() == 0 || id.GetTry() == 0 || id.GetJob() == "" || len(id.GetJob()) > mostJob:
		return failed(controlpb.Error_REFUSED, "a lease has an epoch, a try, and a job of at most 512 bytes")
	}
	slot := admission.Slot{Device: device, Direction: admission.In}
	lease := admission.Lease{Holder: from.Address, Epoch: id.Epoch, Job: id.Job, Try: id.Try}
	switch q := m.Command.(type) {
	case *controlpb.Request_Reserve:
		return a.reserved(slot, lease, q.Reserve)
	case *controlpb.Request_Renew:
		if !a.leases.renew(slot, lease, q.Renew.GetLedger()) {
			return failed(controlpb.Error_NO_LEASE, "no such lease is held")
		}
		return a.granted()
	}
	if !a.leases.release(slot, lease) {
		return failed(controlpb.Error_NO_LEASE, "no such lease is held")
	}
	return &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Released{Released: &controlpb.Released{}}}
}

func (a *Admission) reserved(slot admission.Slot, lease admission.Lease, m *controlpb.Reserve) *controlpb.Reply {
	if w := m.GetWaited(); w != nil && (w.CheckValid() != nil || w.AsDuration() < 0) {
		return failed(controlpb.Error_REFUSED, "nobody has waited for less than nothing")
	}
	r := admission.Request{Lease: lease, Slot: slot, Waited: m.GetWaited().AsDuration()}
	if m.Degraded {
		r.Priority = admission.Degraded
	}
	answer := a.leases.reserve(r)
	if answer.Granted {
		return a.granted()
	}
	return &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Reserved{
		Reserved: &controlpb.Reserved{RetryAfter: durationpb.New(answer.After)},
	}}
}

func (a *Admission) granted() *controlpb.Reply {
	return &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Reserved{
		Reserved: &controlpb.Reserved{Granted: true, Term: durationpb.New(a.leases.rules.Term), Ledger: a.leases.life},
	}}
}

func otherVersion(m *controlpb.Request) *controlpb.Reply {
	return failed(controlpb.Error_VERSION, fmt.Sprintf("version %d is not spoken here, only %d", m.Version, controlpb.Version))
}

// account adds the leases of a node's disks to its status.
func (a *Admission) account(r *controlpb.Reply) *controlpb.Reply {
	if a == nil {
		return r
	}
	load := func(device string, d admission.Direction) *controlpb.Leases {
		l := a.leases.look(admission.Slot{Device: device, Direction: d})
		return &controlpb.Leases{Held: count32(l.Held), Waiting: count32(l.Waiting)}
	}
	for _, d := range r.GetStatus().GetDevices() {
		d.Incoming, d.Outgoing = load(d.Name, admission.In), load(d.Name, admission.Out)
	}
	return r
}

func count32(n int) uint32 { return uint32(min(n, math.MaxInt32)) }
