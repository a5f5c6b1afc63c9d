package breaker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// A call about a whole node: refused while its breaker is open, closes it with an
// answer, opens it when there is no connection; silence of the answer tells nothing.
func TestNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		calls := 0
		node := func(end error) error {
			return w.Node(t.Context(), Replicate, nodeOf("d1"), func(context.Context) error { calls++; return end })
		}
		if err := node(timeout("")); err == nil || len(w.States()) > 0 {
			t.Errorf("an unanswered call: %v, %+v", err, w.States())
		}
		for range patience {
			_ = node(refused(""))
		}
		if got := w.shut(); len(got) != 1 || got[0] != "replicate "+address+" open" {
			t.Fatalf("after refused connections: %q", got)
		}
		if !w.Silent(Replicate, nodeOf("d1")) || !w.Silent(Replicate, nodeOf("d2")) || w.Silent(Sync, nodeOf("d1")) {
			t.Error("who is silent?")
		}
		calls = 0
		var peer *messages.PeerError
		if err := node(nil); !errors.As(err, &peer) || !peer.Untried || calls != 0 {
			t.Errorf("while it is open: %v, %d calls", err, calls)
		}
		time.Sleep(time.Until(w.States()[0].Retry))
		if err := node(status("", 405)); calls != 1 || err == nil || len(w.States()) > 0 || w.Silent(Replicate, nodeOf("d1")) {
			t.Errorf("after an answer: %v, %+v", err, w.States())
		}
		// A device that is silent is silent for who asks, and no hindrance for the node.
		w.ends(time.Second, messages.SyncResult{}, timeout("d1"))
		_ = w.ask(t.Context(), "d1")
		if !w.Silent(Replicate, nodeOf("d1")) || w.Silent(Replicate, nodeOf("d2")) || node(nil) != nil {
			t.Errorf("%q", w.shut())
		}
		if !w.Silent(Replicate, nodeOf("d1")) {
			t.Error("an answer of the node cleared its device")
		}
	})
}
