package status

import (
	"encoding/json"
	"fmt"
	"testing"

	"understudy/messages"
)

// hundred is a node of 100 disks with two jobs at work and ten passes behind each.
func hundred() *messages.Snapshot {
	s := healthy()
	one := s.Devices[0]
	s.Devices = nil
	for i := range 100 {
		one.Device = fmt.Sprintf("d%d", i)
		one.History, one.Flights = nil, nil
		for range 10 {
			one.History = append(one.History, messages.PassRecord{Begun: noon, Ended: noon, Jobs: 1000, Done: 1000})
		}
		for range 2 {
			one.Flights = append(one.Flights, messages.FlightSnapshot{
				Begun: noon, Phase: messages.Phase{Name: messages.PhaseAsking, Node: messages.Node{ReplicationIP: "10.0.0.1", ReplicationPort: 6200, Device: "sda"}, Since: noon},
			})
		}
		s.Devices = append(s.Devices, one)
	}
	return s
}

// BenchmarkReport makes the report of a snapshot, and its JSON.
func BenchmarkReport(b *testing.B) {
	s := hundred()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(Of(s, Facts{})); err != nil {
			b.Fatal(err)
		}
	}
}
