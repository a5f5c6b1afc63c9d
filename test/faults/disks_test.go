package faults

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

// TestDisks has a node with twelve disks: eleven real XFS and one by FUSE. In each of
// its tests one of them falls ill while the daemon works on all.
func TestDisks(t *testing.T) {
	t.Parallel()
	l := newDisks(t)
	t.Run("dies", l.dies)
	t.Run("freezes", l.freezes)
	t.Run("freezes over ssync", l.freezesOverSsync)
	t.Run("fails", l.fails)
	t.Run("hangs", l.hangs)
	t.Run("hangs for ever", l.hangsForEver)
	t.Run("is full", l.isFull)
	t.Run("is read-only", l.isReadOnly)
	t.Run("is unmounted", l.isUnmounted)
	l.nothingLost(t)
}

// fuseDisk is the disk that is served by FUSE.
const fuseDisk = "d12"

// newDisks makes a cluster of three nodes whose first has disks of its own.
func newDisks(t *testing.T) *lab {
	t.Helper()
	l := newLab(t, cluster.Spec{Nodes: 3, Devices: 12, Mounted: 1})
	l.xfs = map[string]*sick.XFS{}
	images := filepath.Join(l.c.Root, "images")
	must(t, os.Mkdir(images, 0o755))
	for _, name := range l.node.Devices {
		if name == fuseDisk {
			continue
		}
		d, err := sick.NewXFS(deadline(t), filepath.Join(images, name), l.node.DevicePath(name))
		must(t, err)
		l.xfs[name] = d
		t.Cleanup(func() {
			if err := d.Close(aside(t)); err != nil {
				t.Error(err)
			}
		})
	}
	l.mountFuse(t)
	t.Cleanup(func() {
		if err := l.fuse.Close(aside(t)); err != nil {
			t.Error(err)
		}
	})
	must(t, l.c.Start(deadline(t)))
	t.Cleanup(l.c.Stop) // before the disks go
	return l
}

// mountFuse serves the FUSE disk, whose files are in a folder that stays.
func (l *lab) mountFuse(t *testing.T) {
	t.Helper()
	behind := filepath.Join(l.c.Root, "images", fuseDisk)
	must(t, os.MkdirAll(behind, 0o755))
	must(t, sick.GiveLike(l.node.CachePath(), behind)) // Swift's user has that
	d, err := sick.NewFuse(behind, l.node.DevicePath(fuseDisk))
	must(t, err)
	l.fuse = d
}

// illness is what befalls a disk, from which it recovers only by what heals it.
type illness struct {
	disk   string
	method string // of the daemon
	fall   func(context.Context) error
	state  string // that recon and status tell
	heal   func(context.Context) error
	watch  func(*testing.T) // looks at it while it is ill; may be nil
	stay   bool             // one daemon sees it from beginning to end
}

// course is the course of an illness. The disk falls ill when some of its objects
// have gone to the peers and some have not. Recon, status and log name it, the objects of all
// other disks arrive, SIGTERM ends the daemon well. A second daemon, started on the ill disk,
// sees it too; when the disk is healed it comes back by itself and the rest of its
// objects arrives.
func (l *lab) course(t *testing.T, i illness) {
	l.begin()
	l.lay(t, 3000, l.demand(i.disk))
	r := l.start(t, i.method)
	heal := sync.OnceValue(func() error { return i.heal(aside(t)) })
	t.Cleanup(func() { must(t, heal()) }) // before the daemon is stopped
	all := l.awaited(of(i.disk))
	r.await(t, "the first object of "+i.disk+" arrives", func() (string, bool) {
		return "", l.awaited(of(i.disk)) < all
	})
	must(t, i.fall(deadline(t)))
	left := l.awaited(of(i.disk))
	t.Logf("%s has %d of %d copies left, the others %d", i.disk, left, all, l.awaited(notOf(i.disk)))
	if left == 0 {
		t.Fatal("the disk had nothing left to do when it fell ill")
	}
	ill := func(s cluster.DeviceState) bool { return s.State == i.state && s.Why != "" }
	r.awaitState(t, i.disk, i.state, ill)
	r.awaitTrouble(t, i.disk, i.state)
	r.awaitLogged(t, "device out of service", "device="+i.disk, "state="+i.state)
	r.awaitWork(t, "the other disks' objects arrive", notOf(i.disk))
	l.watch(t, i)
	first, hanging := r, false
	if !i.stay {
		hanging = first.terminate(t)
		r = l.start(t, i.method)
		r.awaitState(t, i.disk, i.state, ill)
		r.awaitTrouble(t, i.disk, i.state)
		l.watch(t, i)
	}
	must(t, heal())
	if hanging {
		first.wantGood(t)
	}
	r.awaitState(t, i.disk, "in service", inService)
	r.awaitLogged(t, "device is back in service", "device="+i.disk)
	r.awaitWork(t, "the rest arrives", nil)
	r.awaitWell(t)
	r.end(t)
}

func (l *lab) watch(t *testing.T, i illness) {
	t.Helper()
	if i.watch != nil {
		i.watch(t)
	}
}

// demand is work for all disks: more for one, all of whose partitions get some.
func (l *lab) demand(most string) map[string]int {
	demand := map[string]int{}
	for part := range l.primaries {
		disk := l.diskOf(part)
		if disk == most || demand[disk] < 1 {
			demand[disk]++
		}
	}
	return demand
}

func inService(s cluster.DeviceState) bool {
	return slices.Contains([]string{"resting", "listing", "running"}, s.State) && s.Disk == ""
}
