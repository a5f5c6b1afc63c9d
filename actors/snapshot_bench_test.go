package actors

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// BenchmarkSnapshot is what a look at a node costs the recorder: 100 disks with two jobs
// at work and ten passes behind each.
func BenchmarkSnapshot(b *testing.B) {
	now := time.Now()
	r := &Recorder{
		errand: errand{deps: &Deps{Clock: bubbleClock{}, Log: zerolog.Nop(), Silent: func() []messages.PeerState { return nil }}},
		view:   &messages.View{}, course: &messages.Course{}, disks: map[string]*disk{},
	}
	for i := range 100 {
		d := newDisk(fmt.Sprintf("d%d", i), now)
		d.Stats.FailureNodes = messages.FailureNodes{"10.0.0.1": {"sda": 1, "sdb": 2}}
		for range mostHistory {
			d.Begun, d.ended = now, now
			d.keepHistory()
		}
		for n := range 2 {
			f := &messages.Flight{Partition: messages.Partition{Device: d.Device, Number: uint32(n)}, Begun: now}
			f.Enter(messages.PhaseAsking, messages.Node{ReplicationIP: "10.0.0.1", Device: "sda"}, now)
			d.flights[f] = true
		}
		r.disks[d.Device] = d
	}
	b.ReportAllocs()
	for b.Loop() {
		if s := r.snapshot(); len(s.Devices) != 100 {
			b.Fatal(len(s.Devices))
		}
	}
}
