package inspect

import (
	"context"
	"fmt"

	"understudy/internal/plan"
	"understudy/messages"
)

// handoff goes through a revert job without pushing or removing anything. Its peers
// are not asked: a revert does not ask before it pushes either.
func (e *Explainer) handoff(ctx context.Context, h *Holding, ring messages.Ring, p messages.Partition, role plan.Role) {
	manifest, err := within(ctx, e.Timeout, func(ctx context.Context) (messages.Manifest, error) {
		hold, err := e.Store.Hold(ctx, p) // locks nothing: see readOnly
		if err != nil {
			return messages.Manifest{}, err
		}
		defer hold.Release()
		return hold.Manifest(), nil
	})
	if err != nil {
		h.trouble(err)
		return
	}
	h.Suffixes, h.Objects, h.Files = len(manifest.Suffixes), len(manifest.Files), manifest.Files.Count()
	if pid, locked := heldBy(e.Store.PartitionPath(p) + "/" + partitionLock); locked {
		h.say("process %d works on it: a job would leave it for the next pass; after that:", pid)
	}
	revert := plan.NewRevert(role.Local.Region, role.Peers, manifest.Files, e.HandoffDelete, e.CheckRemote)
	pushes, checks := 0, 0
	for step, ok := revert.Next(); ok; step, ok = revert.Next() {
		peer := Peer{Place: placeOf(ring, step.Node), State: PeerNotAsked}
		if step.CheckOnly != nil {
			checks++
			peer.State = PeerServed
			h.say("would ask %s which of them it has: its region gets a copy", step.Node)
		} else {
			pushes++
			h.say("would push %d objects to %s, as far as it lacks them", h.Objects, step.Node)
		}
		h.Peers = append(h.Peers, peer)
		revert.Pushed(step.Node, messages.SyncResult{OK: true, Proven: manifest.Files})
	}
	switch n := pushes + checks; {
	case len(role.Peers) == 0:
		h.say("left alone: the ring has no primary to bring it to")
	case h.Objects == 0:
		h.say("holds no object: would be removed, unless something else is in it")
	case e.HandoffSettle > 0:
		h.say("then would keep it until %s have passed and a later pass proves it again (handoff_settle)", e.HandoffSettle)
	case e.HandoffDelete > 0 && e.HandoffDelete < n:
		h.say("then would remove each file that %d of %d primaries have proven to hold", e.HandoffDelete, n)
	default:
		h.say("then would remove each file that %s proven to hold", all(n))
	}
}

func all(n int) string {
	switch n {
	case 1:
		return "its primary has"
	case 2:
		return "both primaries have"
	}
	return fmt.Sprintf("all %d primaries have", n)
}
