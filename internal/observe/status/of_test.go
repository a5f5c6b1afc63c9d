package status

import (
	"encoding/json"
	"iter"
	"strings"
	"testing"
	"time"

	"understudy/messages"
)

// aRing is one with a single local device, or none.
type aRing struct {
	local []messages.Node
	next  bool
}

func (r aRing) Partitions() uint32                      { return 8 }
func (r aRing) Replicas() float64                       { return 3 }
func (r aRing) NextPartPower() bool                     { return r.next }
func (r aRing) Primaries(uint32) []messages.Node        { return nil }
func (r aRing) Handoffs(uint32) iter.Seq[messages.Node] { return func(func(messages.Node) bool) {} }
func (r aRing) Devices() []messages.Node                { return r.local }
func (r aRing) Local() []messages.Node                  { return r.local }
func policyWith(r messages.Ring, err error) messages.PolicyRing {
	return messages.PolicyRing{Policy: messages.Policy{Name: "gold"}, Ring: r, Err: err}
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.FixedZone("CET", 3600))

// healthy is a snapshot of two disks in a pass, with nothing wrong.
func healthy() *messages.Snapshot {
	limits := messages.Limits{Jobs: 4}
	s := &messages.Snapshot{
		At: noon, Rounds: 3, Round: noon.Add(-time.Minute), Waiting: []string{"sda", "sdb"},
		Policies: []messages.PolicyRing{policyWith(aRing{local: []messages.Node{{Device: "sda"}}}, nil)},
		Course:   &messages.Course{Limits: limits, Config: limits, Profile: messages.ProfileBalanced},
	}
	for _, name := range []string{"sda", "sdb"} {
		s.Devices = append(s.Devices, messages.DeviceSnapshot{
			Device: name, State: messages.StateRunning, Since: noon.Add(-time.Minute), Jobs: 100, Done: 25, Begun: noon.Add(-time.Minute),
		})
	}
	return s
}

func TestVerdicts(t *testing.T) {
	silent := messages.PeerState{Lane: "replicate", Peer: "10.0.0.2:6200", Breaker: "open", Why: "Connection refused"}
	for _, one := range []struct {
		name    string
		change  func(*messages.Snapshot)
		state   State
		summary string
		action  string
	}{
		{"healthy", func(*messages.Snapshot) {}, Healthy, "all is well: 2 devices, 2 devices at work", ""},
		{"resting", func(s *messages.Snapshot) { s.Round = time.Time{} }, Healthy, "3 rounds complete", ""},
		{"unmounted", func(s *messages.Snapshot) { s.Devices[1].State = messages.StateUnmounted }, Degraded, "1 of 2 devices out of service: sdb is unmounted", "sdb: mount it"},
		{"failing", func(s *messages.Snapshot) { s.Devices[0].State = messages.StateFailing }, Degraded, "sda is failing", "replace the disk"},
		{"stalled", func(s *messages.Snapshot) { s.Devices[0].State = messages.StateStalled }, Degraded, "sda is stalled", "a call on it hangs"},
		{"crashed", func(s *messages.Snapshot) { s.Devices[0].State = messages.StateBackingOff }, Degraded, "sda is backing-off", "report the crash"},
		{"none in service", func(s *messages.Snapshot) {
			s.Devices[0].State, s.Devices[1].State = messages.StateUnmounted, messages.StateFailing
		}, Failing, "none of 2 devices is in service", "sda: mount it"},
		{"no devices", func(s *messages.Snapshot) { s.Devices = nil }, Failing, "no ring names a device", "ring_ip"},
		{"full", func(s *messages.Snapshot) { s.Devices[1].Disk = messages.DiskFull }, Degraded, "in service, with trouble", "sdb: it is full"},
		{"read-only", func(s *messages.Snapshot) { s.Devices[1].Disk = messages.DiskReadOnly }, Degraded, "with trouble", "remount"},
		{"silent peer", func(s *messages.Snapshot) { s.Peers = []messages.PeerState{silent} }, Degraded, "1 peer not asked at the moment: 10.0.0.2:6200", "Look at these nodes"},
		{"paused node", func(s *messages.Snapshot) { s.Course.Node = &messages.Pause{Since: noon} }, Paused, "paused: the node", "Resume"},
		{"paused and silent", func(s *messages.Snapshot) {
			s.Course.Devices = map[string]messages.Pause{"sda": {Since: noon}}
			s.Peers = []messages.PeerState{silent}
		}, Degraded, "not asked at the moment: 10.0.0.2:6200; paused: device sda", "Look at these"},
		{"paused peer that is silent", func(s *messages.Snapshot) {
			s.Course.Peers = map[string]messages.Pause{"10.0.0.2": {Since: noon}}
			s.Peers = []messages.PeerState{silent}
		}, Paused, "paused: peer 10.0.0.2", "Resume"},
		{"no ring", func(s *messages.Snapshot) { s.Policies[0] = policyWith(nil, badRing) }, Degraded, "no usable ring", "ring files"},
		{"out of service and paused", func(s *messages.Snapshot) {
			s.Devices[0].State, s.Course.Node = messages.StateFailing, &messages.Pause{Since: noon}
		}, Degraded, "sda is failing; paused: the node", "sda: look"},
	} {
		t.Run(one.name, func(t *testing.T) {
			s := healthy()
			one.change(s)
			v := Of(s, Facts{}).Verdict
			if v.State != one.state || !strings.Contains(v.Summary, one.summary) || !strings.Contains(v.Action, one.action) || one.action == "" && v.Action != "" {
				t.Errorf("%+v", v)
			}
		})
	}
}

type told string

func (t told) Error() string { return string(t) }

const badRing = told("bad magic")

func TestETA(t *testing.T) {
	for _, one := range []struct {
		name   string
		change func(*messages.DeviceSnapshot)
		want   float64
	}{
		{"of the whole pass", func(*messages.DeviceSnapshot) {}, 180},
		{"of the last minute", func(d *messages.DeviceSnapshot) { d.Rates.Jobs = 5 }, 15},
		{"not begun", func(d *messages.DeviceSnapshot) { d.Done = 0 }, -1},
		{"resting", func(d *messages.DeviceSnapshot) { d.State = messages.StateResting }, 0},
		{"all done", func(d *messages.DeviceSnapshot) { d.Done = 100 }, 0},
		{"listing all done", func(d *messages.DeviceSnapshot) { d.State, d.Done = messages.StateListing, 100 }, -1},
		{"listing like last time", func(d *messages.DeviceSnapshot) {
			d.State, d.Rates.Jobs, d.History = messages.StateListing, 1, []messages.PassRecord{{Jobs: 1025}}
		}, 1000},
	} {
		t.Run(one.name, func(t *testing.T) {
			s := healthy()
			s.Devices = s.Devices[:1]
			one.change(&s.Devices[0])
			if r := Of(s, Facts{}); r.Devices[0].ETA != one.want || r.Devices[0].Pass.Running && r.Round.ETA != one.want {
				t.Errorf("%v, round %v, want %v", r.Devices[0].ETA, r.Round.ETA, one.want)
			}
		})
	}
}

// The document is whole: no null where a reader expects a list, times in UTC.
func TestDocument(t *testing.T) {
	s := healthy()
	s.Devices[0].Flights = []messages.FlightSnapshot{{
		Kind: messages.Revert, Partition: messages.Partition{Device: "sda", Number: 7}, Begun: noon, Bytes: 9,
		Phase: messages.Phase{Name: messages.PhaseSyncing, Node: messages.Node{ReplicationIP: "10.0.0.2", ReplicationPort: 6200, Device: "sdx"}, Since: noon},
	}, {Survey: 12, Begun: noon}}
	s.Devices[0].Causes = map[messages.Cause]int{messages.CausePeer: 2, messages.CauseDisk: 5}
	s.Course.Limits.Bytes = 1000
	text, err := json.Marshal(Of(s, Facts{Program: Program{Name: "object-replicator", Started: noon}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"at":"2026-11-28T11:00:00Z"`, `"peer":"10.0.0.2:6200/sdx"`, `"kind":"revert"`, `"kind":"survey"`, `"survey":12`, `"differ":["bytes_per_second"]`,
		`"failures":[{"why":"disk","count":5},{"why":"peer","count":2}]`, `"peers":[]`, `"events":[]`, `"plot":[]`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "null") || strings.Contains(string(text), "0001-01-01") {
		t.Errorf("null or no time in\n%s", text)
	}
}
