package bootstrap_test

import (
	"os"
	"testing"

	"understudy/bootstrap"
	"understudy/internal/lab"
	"understudy/internal/native"
	"understudy/internal/server"
	"understudy/internal/swift/ring"
)

// What a server compares surveys with comes from swift.conf and the rings as they are
// on disk at the moment. A ring that cannot be read, or has no version, is not known.
func TestServerLane(t *testing.T) {
	r := newRig(t)
	path := bootstrap.RingPath(r.path("etc"), 0)
	lane := bootstrap.ServerLane(r.load(), nil)
	known := func(want uint64, when string) {
		t.Helper()
		if got := lane.Ring(0); got != want {
			t.Errorf("%s: version %d, want %d", when, got, want)
		}
	}
	if lane.Cluster != native.ClusterOf(nil, []byte("endcap")) {
		t.Error("another cluster than swift.conf's")
	}
	known(0, "a ring without a version")
	for _, version := range []int64{7, 8, 3} {
		spec := lab.RingSpec{PartPower: 2, Replicas: 1, Version: version, Devices: []ring.Device{{Device: "sda", IP: "10.0.0.1", Port: 6200, Weight: 1}}}
		if err := lab.WriteRing(path, spec); err != nil {
			t.Fatal(err)
		}
		known(uint64(version), "a new ring")
		known(uint64(version), "the same")
	}
	if err := os.WriteFile(path, []byte("no ring"), 0o600); err != nil {
		t.Fatal(err)
	}
	known(0, "an unreadable ring")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	known(0, "no ring")
	if lane.Ring(99) != 0 {
		t.Error("a policy that is none")
	}
	r.set("native_lane = no")
	var none *server.Lane
	if got := bootstrap.ServerLane(r.load(), nil); got != none {
		t.Errorf("native_lane = no: %+v", got)
	}
}
