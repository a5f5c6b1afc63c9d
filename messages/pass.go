package messages

import "time"

// StartPass tells a device to begin a pass.
// Sender: supervisor, once for each device in script mode and at the birth of a
// device in daemon mode. Receiver: device; ignored while a pass runs.
type StartPass struct{}

// PassStarted says that a device begins a pass, or goes on with one that was
// interrupted. Sender: device. Receiver: recorder, which opens a round if none is
// open.
type PassStarted struct {
	Device string
	At     time.Time // when the pass began, in whatever process
	Before Stats     // numbers of the part of the pass that an interruption ended
	Done   int       // partitions looked at in that part
}

// PassFound tells what a device has found so far while it is listed. Sender:
// device, several times a pass. Receiver: recorder, which adds it up.
type PassFound struct {
	Device   string
	Jobs     int          // more partitions that will be looked at
	Counts   Counts       // failures found while listing
	Failures FailureNodes // nil when there were none
}

// JobDone reports one job. Sender: device, in the order in which jobs end.
// Receiver: recorder, which adds it to the device's pass.
type JobDone struct {
	Device    string
	Partition Partition
	Flight    *Flight // nil for a partition that never became an actor
	Outcome   Outcome
}

// PassDone ends a device's pass. Sender: device, or the supervisor in the name of
// a device that crashed. Receiver: recorder.
type PassDone struct {
	Device   string
	Handoffs int    // handoff partitions that are still there
	Cut      string // why the pass ended before its last job, or empty
	Broken   bool   // the cut was trouble in mid-work: the pass is unfinished, to be gone on with
}

// RoundDone says that every device has ended a pass since the round was opened
// and that the recon cache has been told. Sender: recorder. Receiver: supervisor,
// which ends the run in script mode.
type RoundDone struct {
	Stats Stats    // every device's last pass, added up
	Cut   []string // devices whose last pass was cut short
}

// Stats are the numbers of one pass of one device, or of many devices together.
// Swift: obj/replicator.py Stats.
type Stats struct {
	Counts
	FailureNodes FailureNodes
}

// Add adds another device's numbers.
func (s *Stats) Add(o Stats) {
	s.Counts.Add(o.Counts)
	if len(o.FailureNodes) > 0 && s.FailureNodes == nil {
		s.FailureNodes = FailureNodes{}
	}
	s.FailureNodes.Add(o.FailureNodes)
}

// Recon is the form in which the recon cache carries the numbers.
func (s Stats) Recon() map[string]any {
	nodes := map[string]any{}
	for ip, devices := range s.FailureNodes {
		per := map[string]any{}
		for device, n := range devices {
			per[device] = n
		}
		nodes[ip] = per
	}
	return map[string]any{
		"attempted": s.Attempted, "failure": s.Failure, "hashmatch": s.HashMatch,
		"remove": s.Remove, "rsync": s.Rsync, "success": s.Success,
		"suffix_count": s.SuffixCount, "suffix_hash": s.SuffixHash, "suffix_sync": s.SuffixSync,
		"failure_nodes": nodes,
	}
}
