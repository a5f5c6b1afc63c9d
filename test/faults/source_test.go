package faults

import (
	"net/http"
	"os"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// A disk without a free block can take nothing more, but it can give: what it has goes
// to the peers, and its handoffs are moved to where they belong and removed, which is
// what frees it. Recon calls it full until there is room.
func (l *lab) isFull(t *testing.T) {
	d := l.xfs["d6"]
	l.begin()
	l.lay(t, 3000, l.demand("d6"))
	handoff := l.plantHandoff(t, "d6")
	must(t, d.Fill())
	full := true
	t.Cleanup(func() {
		if full {
			_ = d.Free() // the test has failed anyway
		}
	})
	r := l.start(t, "rsync")
	r.awaitState(t, "d6", "full", func(s cluster.DeviceState) bool { return s.Disk == "full" })
	r.awaitTrouble(t, "d6", "full")
	r.awaitWork(t, "all objects arrive, those of the full disk and of its handoff, too", nil)
	gone := l.node.HashDir("d6", 0, handoff.partition, handoff.op.Name)
	r.await(t, "the handoff is removed from the full disk", func() (string, bool) {
		_, err := os.Lstat(gone)
		return gone, os.IsNotExist(err)
	})
	r.end(t)

	must(t, d.Fill()) // the handoff has left some room
	r = l.start(t, "rsync")
	r.awaitState(t, "d6", "full", func(s cluster.DeviceState) bool { return s.Disk == "full" })
	must(t, d.Free())
	full = false
	r.awaitState(t, "d6", "fine", inService)
	r.awaitWell(t)
	r.awaitLogged(t, "disk is full", "device=d6")
	r.awaitLogged(t, "disk is fine again", "device=d6")
	r.end(t)
}

// plantHandoff puts an object on a disk of the first node that is none of its
// primaries, and on no other.
func (l *lab) plantHandoff(t *testing.T, disk string) object {
	t.Helper()
	part := 0
	for l.diskOf(part) == disk {
		part++
	}
	var name string
	for try := 0; name == "" || cluster.Partition(name, partPower) != part; try++ {
		name = "/AUTH_lab/c/handoff" + time.Now().Format("150405") + string(rune('a'+try%26)) + string(rune('a'+try/26%26)) + string(rune('a'+try/676%26))
	}
	op := cluster.Op{
		Kind: cluster.Put, Name: name, At: cluster.Timestamp(float64(time.Now().Unix()-60), 0), Size: 5000, Body: part,
		Headers: map[string]string{"Content-Type": "text/plain"},
	}
	status, err := l.node.Send(deadline(t), disk, part, op)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("put a handoff on %s: %d, %v", disk, status, err)
	}
	l.history.Did(op)
	o := object{op: op, partition: part}
	l.objects = append(l.objects, o)
	return o
}

// A disk that has turned read-only is a source like before: what peers lack goes to
// them, and recon calls it read-only until it can be written again.
func (l *lab) isReadOnly(t *testing.T) {
	d := l.xfs["d7"]
	l.begin()
	l.lay(t, 3000, l.demand("d7"))
	must(t, d.ReadOnly(deadline(t)))
	t.Cleanup(func() { _ = d.Writable() }) // it may be by then
	readOnly := func(s cluster.DeviceState) bool { return s.Disk == "read-only" }
	r := l.start(t, "ssync")
	r.awaitState(t, "d7", "read-only", readOnly)
	r.awaitTrouble(t, "d7", "read-only")
	r.awaitWork(t, "all objects arrive, those of the read-only disk, too", nil)
	r.end(t)

	r = l.start(t, "ssync")
	r.awaitState(t, "d7", "read-only", readOnly)
	must(t, d.Writable())
	r.awaitState(t, "d7", "fine", inService)
	r.awaitLogged(t, "disk is read-only", "device=d7")
	r.awaitLogged(t, "disk is fine again", "device=d7")
	l.begin()
	l.lay(t, 3000, map[string]int{"d7": 1})
	r.awaitWork(t, "a new object arrives", nil)
	r.awaitWell(t)
	r.end(t)
}
