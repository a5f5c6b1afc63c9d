package actors

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"understudy/messages"
)

// What the recorder keeps for those who look at the engine. One snapshot is the
// source of every view.

// mostHistory is how many ended passes of a device are kept.
const mostHistory = 10

func newDisk(name string, now time.Time) *disk {
	return &disk{
		DeviceSnapshot: messages.DeviceSnapshot{
			Device: name, State: messages.StateResting, Since: now, Causes: map[messages.Cause]int{},
		},
		flights: map[*messages.Flight]bool{},
	}
}

func (r *Recorder) jobBegun(m *messages.JobBegun) {
	if d := r.disks[m.Device]; d != nil {
		d.flights[m.Flight] = true
	}
}

func (r *Recorder) jobGone(m *messages.JobGone) {
	if d := r.disks[m.Device]; d != nil {
		delete(d.flights, m.Flight)
	}
}

// count adds a job to what is kept for lookers-on.
func (r *Recorder) count(d *disk, m *messages.JobDone) {
	o := m.Outcome
	if d.flights[m.Flight] {
		d.flights[m.Flight] = false // its bytes are in the totals from now on
	}
	one := messages.Totals{
		Jobs: 1, Bytes: o.Bytes, Failure: int64(o.Counts.Failure), Hashed: int64(o.Counts.SuffixHash),
		Pushed: int64(o.Counts.SuffixSync), Removed: int64(o.Counts.Remove),
	}
	d.Bytes += o.Bytes
	for _, t := range []*messages.Totals{&d.Totals, &r.node.totals} {
		t.Jobs += one.Jobs
		t.Bytes += one.Bytes
		t.Failure += one.Failure
		t.Hashed += one.Hashed
		t.Pushed += one.Pushed
		t.Removed += one.Removed
	}
	for _, t := range o.Troubles {
		d.Causes[t.Cause]++
		d.Trouble = &messages.LastTrouble{At: r.now(), Partition: m.Partition, Trouble: t}
	}
}

// keepHistory notes a pass that has ended.
func (d *disk) keepHistory() {
	d.History = append(d.History, messages.PassRecord{
		Begun: d.Begun, Ended: d.ended, Jobs: d.Jobs, Done: d.Done, Cut: d.Cut, Stats: copyOf(d.Stats), Bytes: d.Bytes,
	})
	if n := len(d.History); n > mostHistory {
		d.History = slices.Clone(d.History[n-mostHistory:])
	}
}

func inWords(m *messages.DeviceState) string {
	if !messages.OutOfService(m.State) {
		return "back in service"
	}
	return strings.TrimSuffix(m.State+": "+m.Why, ": ")
}

// snapshot is a copy of what is known now.
func (r *Recorder) snapshot() *messages.Snapshot {
	now := r.now()
	s := &messages.Snapshot{
		At: now, Rounds: r.rounds, Peers: r.deps.Silent(), Supervision: r.super, Course: r.course, Policies: r.view.Policies,
		Totals: r.flying(), Plot: slices.Clone(r.node.plot),
	}
	s.Rates = r.node.rates(now, s.Totals)
	s.Supervision.Recent = slices.Clone(r.super.Recent)
	if r.round != nil {
		s.Round, s.Waiting = r.round.begun, slices.Sorted(maps.Keys(r.round.waiting))
	}
	for _, d := range r.disks {
		s.Devices = append(s.Devices, d.snapshot(now))
	}
	slices.SortFunc(s.Devices, func(a, b messages.DeviceSnapshot) int { return strings.Compare(a.Device, b.Device) })
	return s
}

func (d *disk) snapshot(now time.Time) messages.DeviceSnapshot {
	s := d.DeviceSnapshot
	s.Stats, s.Causes, s.History = copyOf(d.Stats), maps.Clone(d.Causes), slices.Clone(d.History)
	s.Totals = d.flying()
	s.Bytes += s.Totals.Bytes - d.Totals.Bytes
	s.Rates = d.meter.rates(now, s.Totals)
	s.Waiting = max(0, d.Jobs-d.Done)
	for f := range d.flights {
		one := f.Snapshot()
		s.Flights = append(s.Flights, one)
		s.Waiting = max(0, s.Waiting-max(1, one.Survey))
	}
	slices.SortFunc(s.Flights, func(a, b messages.FlightSnapshot) int {
		return cmp.Or(a.Begun.Compare(b.Begun), cmp.Compare(a.Partition.Number, b.Partition.Number))
	})
	return s
}
