package remoteapi

import (
	"context"
	"sync"
	"time"

	"understudy/internal/admission"
	"understudy/messages/controlpb"
)

// hold is a push that has been admitted: a lease of each of its two disks, renewed until
// the push ends or the service does.
type hold struct {
	admission *Admission
	session   *session
	address   string // of the owner's facade
	device    string // of the owner
	lease     admission.Lease
	out       admission.Slot
	term      time.Duration
	life      uint64 // of the owner's ledger

	once sync.Once
	over chan struct{}
}

// leastRenewal bounds how often an owner can make its leases be renewed.
const leastRenewal = 100 * time.Millisecond

// end tells that the push is over. It does not block.
func (h *hold) end() { h.once.Do(func() { close(h.over) }) }

func (h *hold) id() *controlpb.Lease {
	return &controlpb.Lease{Epoch: h.lease.Epoch, Job: h.lease.Job, Try: h.lease.Try}
}

// keep renews the leases until the end and gives them back then. A lease that the owner
// has lost is not asked for again: the push goes on without.
func (h *hold) keep() {
	every := max(min(h.term, h.admission.leases.rules.Term)/3, leastRenewal)
	tick := time.NewTicker(every)
	defer tick.Stop()
	lost := h.term <= 0 // the owner keeps no account of it
	for {
		select {
		case <-h.over:
		case <-h.session.ends.Done():
		case <-tick.C:
			h.admission.leases.renew(h.out, h.lease, h.admission.leases.life)
			lost = lost || h.renew()
			continue
		}
		h.admission.leases.release(h.out, h.lease)
		if !lost {
			h.giveBack()
		}
		return
	}
}

// renew tells whether the lease is lost. An owner that does not answer is asked again: it
// may be back in time.
func (h *hold) renew() (lost bool) {
	ctx, cancel := context.WithTimeout(context.Background(), h.session.patience)
	defer cancel()
	stop := context.AfterFunc(h.session.ends, cancel)
	defer stop()
	r, err := h.session.ask(ctx, h.address, &controlpb.Request{Command: &controlpb.Request_Renew{
		Renew: &controlpb.Renew{Device: h.device, Lease: h.id(), Ledger: h.life},
	}})
	if err != nil {
		return false
	}
	if g := r.GetReserved(); g.GetGranted() {
		h.life = g.GetLedger()
		return false
	}
	return true
}

// giveBack releases the owner's lease. One that is not told takes it back itself, later.
func (h *hold) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), h.session.patience)
	defer cancel()
	_, _ = h.session.ask(ctx, h.address, &controlpb.Request{Command: &controlpb.Request_Release{
		Release: &controlpb.Release{Device: h.device, Lease: h.id()},
	}})
}
