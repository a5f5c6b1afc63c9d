package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"understudy/bootstrap/remoteapi"
	"understudy/internal/fleet"
	"understudy/internal/lab"
	"understudy/messages/controlpb"
)

// holder holds a lease of a node's disk, as a node of the fleet whose push does not end.
type holder struct {
	*rig
	client  *remoteapi.Client
	address string
	lease   *controlpb.Lease
	ledger  uint64
	stop    context.CancelFunc
	ended   chan struct{}
}

// hold takes a lease of the disk d1, which nobody gets in the first half term of an agent,
// nor before it has heard from its daemon.
func (r *rig) hold(node string) *holder {
	r.Helper()
	operator, err := r.conf.Operator()
	if err != nil {
		r.Fatal(err)
	}
	client, err := remoteapi.NewClient(operator)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = client.Close() })
	h := &holder{rig: r, client: client, address: r.conf.Nodes[node], ended: make(chan struct{})}
	for end, try := time.Now().Add(enough), uint64(1); ; try++ {
		h.lease = &controlpb.Lease{Epoch: 1, Job: "a push without an end", Try: try}
		m, err := h.ask(r.Context(), &controlpb.Request{Command: &controlpb.Request_Reserve{Reserve: &controlpb.Reserve{Device: "d1", Lease: h.lease}}})
		if err == nil && m.GetReserved().GetGranted() {
			h.ledger = m.GetReserved().GetLedger()
			break
		}
		if time.Now().After(end) {
			r.Fatalf("no lease of %s: %v, %v", node, m, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go h.keep(ctx)
	r.Cleanup(func() { stop(); <-h.ended })
	return h
}

func (h *holder) ask(ctx context.Context, m *controlpb.Request) (*controlpb.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	return h.client.Ask(ctx, h.address, m)
}

func (h *holder) keep(ctx context.Context) {
	defer close(h.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
		m, err := h.ask(context.Background(), &controlpb.Request{Command: &controlpb.Request_Renew{Renew: &controlpb.Renew{
			Device: "d1", Lease: h.lease, Ledger: h.ledger,
		}}})
		if err != nil || !m.GetReserved().GetGranted() {
			h.Errorf("the lease is lost: %v, %v", m, err)
			return
		}
	}
}

// release gives the lease back.
func (h *holder) release() {
	h.Helper()
	h.stop()
	<-h.ended
	m, err := h.ask(h.Context(), &controlpb.Request{Command: &controlpb.Request_Release{Release: &controlpb.Release{Device: "d1", Lease: h.lease}}})
	if err != nil || m.GetReleased() == nil {
		h.Fatalf("release: %v, %v", m, err)
	}
}

// objects is how many data files a node's disk has.
func (r *rig) objects(n *lab.Node) (found int) {
	r.Helper()
	err := filepath.WalkDir(filepath.Join(n.DevicesRoot(), "d1"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".data") {
			found++
		}
		if os.IsNotExist(err) {
			return nil // it has just got its name
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return found
}

func (r *rig) await(what string, holds func() bool) {
	r.Helper()
	for end := time.Now().Add(enough); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			out, _ := r.run("status")
			r.Fatalf("not %s in %s\n%s", what, enough, out)
		}
	}
}

// The daemons of two nodes ask their agents before they make the disk of a third one
// again. While its only lease is somebody else's nothing is pushed; then all is. The
// daemon of a node whose agent is gone pushes all the same.
func TestDaemonsAskBeforeTheyPush(t *testing.T) {
	r := newNodes(t, map[string]string{"sync_method": "ssync", "interval": "1", "native_lane": "no"})
	h, err := r.Seed(t.Context(), lab.Draw{Objects: 20, Seed: 1, Base: time.Now().Add(-24 * time.Hour), Ssync: true})
	if err != nil {
		t.Fatal(err)
	}
	third := r.Node(3)
	if err := third.Kill(); err != nil {
		t.Fatal(err)
	}
	whole := r.objects(third)
	if err := r.Lose(lab.Place{Node: third, Disk: "d1"}); err != nil {
		t.Fatal(err)
	}
	if err := third.Revive(); err != nil {
		t.Fatal(err)
	}
	stops := []func(){r.engine(2, third.Config)}
	r.agent(2, &fleet.Admission{Socket: r.path("desk3"), In: 1, Term: "3s", Again: "500ms"})
	busy := r.hold("n3")
	for i, n := range r.Nodes[:2] {
		c := *n.Config
		c.AdmissionSocket = r.path("desk" + string(rune('1'+i)))
		r.agent(i, &fleet.Admission{Socket: c.AdmissionSocket, Out: 8, Hosts: map[string]string{third.IP: "n3"}})
		stops = append(stops, r.engine(i, &c))
	}
	r.await("waiting for the lease", func() bool {
		out, _ := r.run("status")
		return strings.Contains(out, "1 in, 0 out, ") && strings.Contains(out, " wait ")
	})
	if n := r.objects(third); n != 0 {
		t.Errorf("%d objects were pushed without a lease", n)
	}
	busy.release()
	r.await("whole", func() bool { return r.objects(third) == whole })
	for _, stop := range stops {
		stop()
	}
	if v, err := r.Check(t.Context(), h); err != nil || !v.OK() {
		t.Errorf("the disks: %v, %v", v, err)
	}
}

// A daemon whose agent is not there, or dies, replicates as if nobody had to be asked.
func TestDaemonWithoutItsAgent(t *testing.T) {
	r := newNodes(t, map[string]string{"sync_method": "ssync", "interval": "1", "native_lane": "no"})
	if _, err := r.Seed(t.Context(), lab.Draw{Objects: 20, Seed: 1, Base: time.Now().Add(-24 * time.Hour), Ssync: true}); err != nil {
		t.Fatal(err)
	}
	third := r.Node(3)
	whole := r.objects(third)
	c := *r.Node(1).Config
	c.AdmissionSocket = r.path("desk1")
	lose := func() {
		t.Helper()
		if err := third.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := r.Lose(lab.Place{Node: third, Disk: "d1"}); err != nil {
			t.Fatal(err)
		}
		if err := third.Revive(); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	stop := r.engine(0, &c)
	r.await("whole without an agent", func() bool { return r.objects(third) == whole })
	stop()
	r.agent(0, &fleet.Admission{Socket: c.AdmissionSocket})
	if err := r.agents[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.agents[0].Wait()
	lose()
	r.engine(0, &c)
	r.await("whole with an agent that has died", func() bool { return r.objects(third) == whole })
}
