package faults

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"understudy/internal/cluster"
	"understudy/internal/observe/status"
	"understudy/test/faults/sick"
)

// TestPeers has three nodes of one disk. In each of its tests one of the other two is
// silent, or breaks off, while the daemon on the first works for both.
func TestPeers(t *testing.T) {
	t.Parallel()
	l := newLab(t, cluster.Spec{Nodes: 3, Devices: 1})
	ctx := deadline(t)
	must(t, l.c.Start(ctx, l.node)) // the second comes when it is needed
	cut := l.c.Nodes[2]
	must(t, cut.StartBehind(ctx))
	proxy, err := sick.NewProxy(cut.Addr(), cut.BehindAddr())
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	t.Run("takes connections and says nothing", l.saysNothing)
	t.Run("object server is stopped", l.serverStopped)
	t.Run("rsync daemon is stopped", l.rsyncdStopped)
	t.Run("breaks off", func(t *testing.T) { l.breaksOff(t, cut, proxy) })
	l.nothingLost(t)
}

// silence is a peer that does not answer.
type silence struct {
	peer  *cluster.Node
	asked func() (int, error) // how many connections it has got
	end   func(*testing.T)    // it answers again
}

// silent is the course of a silence that has begun. The objects of the other peer
// arrive, the pass ends, recon names the silent peer among the failures. The peer has
// been asked a few times, not once for every partition, and the status says why. When it
// answers again its objects arrive in a later pass.
func (l *lab) silent(t *testing.T, s silence) {
	t.Helper()
	r := l.start(t, "rsync")
	r.awaitWork(t, "the other peer's objects arrive", func(_ object, d cluster.Device) bool { return d.IP != s.peer.IP })
	r.awaitState(t, "d1", "through its pass", func(s cluster.DeviceState) bool { return s.Complete != nil })
	asked, err := s.asked()
	must(t, err)
	missing := l.awaited(nil)
	t.Logf("the silent peer lacks %d copies and has been asked %d times", missing, asked)
	if missing == 0 || asked == 0 || asked > missing/2 {
		t.Errorf("a silent peer was asked %d times for %d partitions", asked, missing)
	}
	r.await(t, "recon names the peer", func() (string, bool) {
		recon, err := l.node.ReconFile()
		if err != nil || recon.Stats == nil {
			return fmt.Sprint(err), false
		}
		return fmt.Sprint(recon.Stats.FailureNodes), recon.Stats.FailureNodes[s.peer.IP]["d1"] > 0
	})
	r.awaitReport(t, "the status names the peer and why it is not asked", func(r *status.Report) bool {
		return r.Verdict.State == status.Degraded && strings.Contains(r.Verdict.Summary, s.peer.IP) &&
			slices.ContainsFunc(r.Peers, func(p status.Peer) bool { return strings.HasPrefix(p.Name, s.peer.IP+":") && p.Why != "" })
	})
	s.end(t)
	r.awaitWork(t, "the peer's objects arrive", nil)
	r.awaitWell(t)
	r.end(t)
}

// serve starts a node's servers, unless they run.
func (l *lab) serve(t *testing.T, n *cluster.Node) {
	t.Helper()
	if !l.serving[n] {
		must(t, l.c.Start(deadline(t), n))
		l.serving[n] = true
	}
}

// A peer takes connections and never answers, as a server does whose only thread is
// stuck. Then it is replaced by one that works.
func (l *lab) saysNothing(t *testing.T) {
	l.begin()
	l.lay(t, 1000, map[string]int{"d1": 24})
	peer := l.c.Nodes[1]
	mute, err := sick.NewMute(peer.Addr())
	must(t, err)
	t.Cleanup(func() { _ = mute.Close() })
	l.silent(t, silence{
		peer:  peer,
		asked: func() (int, error) { return mute.Taken(), nil },
		end: func(t *testing.T) {
			must(t, mute.Close())
			l.serve(t, peer)
		},
	})
}

// A peer's object server is stopped, as on a machine that swaps or is suspended: its
// kernel still takes connections.
func (l *lab) serverStopped(t *testing.T) {
	l.begin()
	l.lay(t, 1000, map[string]int{"d1": 24})
	l.serve(t, l.c.Nodes[1])
	l.stopped(t, l.c.Nodes[1].SignalServer, l.c.Nodes[1].Addr())
}

// A peer's rsync daemon is stopped, while its object server answers: it is asked what
// it has, and cannot be given what it lacks.
func (l *lab) rsyncdStopped(t *testing.T) {
	l.begin()
	l.lay(t, 1000, map[string]int{"d1": 24})
	l.serve(t, l.c.Nodes[1])
	l.stopped(t, l.c.Nodes[1].SignalRsyncd, l.c.Nodes[1].RsyncAddr())
}

func (l *lab) stopped(t *testing.T, signal func(syscall.Signal) error, addr string) {
	t.Helper()
	must(t, signal(syscall.SIGSTOP))
	t.Cleanup(func() { _ = signal(syscall.SIGCONT) }) // it may go on by then
	l.silent(t, silence{
		peer:  l.c.Nodes[1],
		asked: func() (int, error) { return sick.Waiting(addr) },
		end:   func(t *testing.T) { must(t, signal(syscall.SIGCONT)) },
	})
}

// A connection breaks in the middle of an object's body, twice. Nothing of the object
// is to be seen at the peer until a later pass has brought it whole.
func (l *lab) breaksOff(t *testing.T, peer *cluster.Node, proxy *sick.Proxy) {
	const size = 2 << 20
	l.begin()
	l.lay(t, size, map[string]int{"d1": 6})
	proxy.Cut(2, size/2)
	partial := func() string {
		for _, o := range l.objects {
			file := l.file(cluster.Device{IP: peer.IP, Name: "d1"}, o)
			if i, err := os.Stat(file); err == nil && i.Size() != size {
				return fmt.Sprintf("%s has %d of %d bytes", file, i.Size(), size)
			}
		}
		return ""
	}
	r := l.start(t, "ssync")
	r.await(t, "all objects arrive after two cuts", func() (string, bool) {
		if why := partial(); why != "" {
			t.Fatalf("part of an object is to be seen: %s", why)
		}
		missing, cuts := l.awaited(nil), proxy.WasCut()
		return fmt.Sprintf("%d copies missing after %d cuts", missing, cuts), missing == 0 && cuts == 2
	})
	lines, err := r.Logged()
	must(t, err)
	if !strings.Contains(strings.Join(lines, "\n"), peer.Addr()) {
		t.Error("the log does not name the peer that broke off")
	}
	r.awaitReport(t, "the status tells of the peer that broke off", func(r *status.Report) bool {
		return slices.ContainsFunc(r.Devices, func(d status.Device) bool { return d.LastError != nil && strings.Contains(d.LastError.Text, peer.IP) })
	})
	r.end(t)
}
