package inspect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"understudy/internal/plan"
	"understudy/messages"
)

const insufficientStorage = 507

// primary goes through an update job without pushing anything: each push that the job
// would make counts as done.
func (e *Explainer) primary(ctx context.Context, h *Holding, ring messages.Ring, p messages.Partition, role plan.Role) {
	report, err := e.hashes(ctx, p, messages.HashOptions{List: true})
	if err != nil {
		h.trouble(err)
		return
	}
	h.Hashes, h.Hashed = report.Hashes, report.Hashed
	for _, suffix := range slices.Sorted(maps.Keys(report.Hashes)) {
		if report.Hashes[suffix] == "" {
			h.Broken = append(h.Broken, suffix)
		}
	}
	update := plan.NewUpdate(role.Local.Region, role.Peers, func() []messages.Node { return slices.Collect(ring.Handoffs(p.Number)) }, e.HandoffDelete)
	update.Hashed(report)
	for node, ok := update.Next(); ok && ctx.Err() == nil; node, ok = update.Next() {
		peer := e.peer(ctx, update, ring, p, node)
		h.Peers = append(h.Peers, peer)
		h.judge(&peer, node)
	}
	for _, node := range role.Peers {
		if !slices.ContainsFunc(h.Peers, func(p Peer) bool { return p.Address == address(node) && p.Device == node.Device }) {
			h.Peers = append(h.Peers, Peer{Place: placeOf(ring, node), State: PeerServed, Why: "its region gets one copy and spreads it itself"})
		}
	}
	if update.RanOut() {
		h.say("no further handoff is left to take the place of unmounted disks")
	}
	e.sumUp(h, role)
}

// hashes are a local device's suffix hashes as its next look would tell them.
func (e *Explainer) hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
	return within(ctx, e.Timeout, func(ctx context.Context) (messages.HashReport, error) {
		path := e.Store.PartitionPath(p) + "/" + hashFile
		for range maxLooks {
			before, _ := os.Lstat(path)
			report, err := e.Store.Hashes(ctx, p, o)
			after, _ := os.Lstat(path)
			if err != nil || steady(before, after) {
				return report, err
			}
		}
		return messages.HashReport{}, errUnsteady
	})
}

// maxLooks is how often hashes are read again that somebody changes meanwhile.
const maxLooks = 5

var errUnsteady = errors.New("its hashes keep changing")

// steady tells whether nobody has written hashes.pkl meanwhile. Between reading it and
// hashes.invalid another may have moved marks from the one to the other, and without
// the lock, which one who only looks does not take, they would be missed.
func steady(before, after os.FileInfo) bool {
	if before == nil || after == nil {
		return before == nil && after == nil
	}
	return os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()) && before.Size() == after.Size()
}

// peer asks one peer and tells the plan what came of it.
func (e *Explainer) peer(ctx context.Context, update *plan.Update, ring messages.Ring, p messages.Partition, node messages.Node) Peer {
	peer := Peer{Place: placeOf(ring, node)}
	remote, err := e.ask(ctx, &peer, p, node)
	if peer.State == PeerNotAsked {
		return peer
	}
	var status *messages.StatusError
	switch {
	case errors.As(err, &status) && status.Status == insufficientStorage:
		peer.State, peer.Why = PeerUnmounted, "its disk is not mounted"
		update.Unmounted(node)
		return peer
	case err != nil:
		peer.State, peer.Why = PeerFailed, err.Error()
		update.Failed(node)
		return peer
	}
	diff := update.Compare(remote)
	if len(diff) > 0 {
		report, err := e.hashes(ctx, p, messages.HashOptions{Recalculate: diff})
		if err != nil {
			peer.State, peer.Why = PeerFailed, err.Error()
			update.Failed(node)
			return peer
		}
		update.Recalculated(report)
		diff = update.Compare(remote)
	}
	if len(diff) == 0 {
		peer.State = PeerInSync
		update.Matched()
		return peer
	}
	peer.State = PeerDiffers
	for _, suffix := range diff {
		if _, has := remote[suffix]; has {
			peer.Others = append(peer.Others, suffix)
		} else {
			peer.Lacks = append(peer.Lacks, suffix)
		}
	}
	update.Pushing()
	update.Pushed(node, len(diff), true)
	return peer
}

// ask asks a peer for its hashes. A device of this node is read instead: its server
// would write its hashes.pkl.
func (e *Explainer) ask(ctx context.Context, peer *Peer, p messages.Partition, node messages.Node) (messages.Hashes, error) {
	if peer.Local {
		peer.Here = true
		p.Device = node.Device
		report, err := e.hashes(ctx, p, messages.HashOptions{})
		var device *messages.DeviceError
		if errors.As(err, &device) {
			return nil, &messages.StatusError{Node: node, Status: insufficientStorage}
		}
		return report.Hashes, err
	}
	if e.Ask == nil {
		peer.State = PeerNotAsked
		return nil, nil
	}
	return e.Ask(ctx, node, p.Policy, p.Number)
}

// judge says what would be done for a peer.
func (h *Holding) judge(peer *Peer, node messages.Node) {
	switch peer.State {
	case PeerDiffers:
		h.say("would push %s to %s, which %s", list("suffix", slices.Sorted(slices.Values(slices.Concat(peer.Lacks, peer.Others)))), node, peer.difference())
	case PeerUnmounted:
		h.say("%s: its disk is not mounted; the next handoff is asked in its place", node)
	case PeerFailed:
		h.say("%s cannot be asked: counted as failed, tried again in the next pass", node)
	}
}

func (p *Peer) difference() string {
	switch {
	case len(p.Others) == 0 && len(p.Lacks) == 1:
		return "lacks it"
	case len(p.Others) == 0:
		return "lacks them"
	case len(p.Lacks) == 0 && len(p.Others) == 1:
		return "has it otherwise"
	case len(p.Lacks) == 0:
		return "has them otherwise"
	}
	return fmt.Sprintf("lacks %d of them and has %d otherwise", len(p.Lacks), len(p.Others))
}

// sumUp says what goes for the whole job.
func (e *Explainer) sumUp(h *Holding, role plan.Role) {
	asked, failed := 0, 0
	for _, p := range h.Peers {
		switch p.State {
		case PeerNotAsked, PeerServed:
		case PeerFailed, PeerUnmounted:
			failed++
		default:
			asked++
		}
	}
	for _, suffix := range h.Broken {
		h.say("suffix %s cannot be hashed as it is: the engine would quarantine what is wrong in it", suffix)
	}
	switch {
	case len(role.Peers) == 0:
		h.say("nothing: the ring has no other primary")
	case asked+failed == 0:
		h.say("not known what would be pushed: nobody was asked")
	case len(h.Verdict) == 0 && asked == len(h.Peers):
		h.say("nothing: all in sync")
	}
}

const maxListed = 8 // suffixes named in a sentence

// list names some of many: "suffixes 3f2, a01 and 12 more".
func list(noun string, names []string) string {
	if len(names) != 1 {
		noun += "es"
	}
	if len(names) > maxListed+1 {
		return fmt.Sprintf("%s %s and %d more", noun, strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return noun + " " + strings.Join(names, ", ")
}
