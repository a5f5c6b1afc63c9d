package messages

// StartJob gives a partition actor its work. Sender: the device that spawned it.
type StartJob struct {
	Kind      Kind
	Partition Partition
	Region    int    // region of the local device
	Peers     []Node // the other primaries, in ring order
	Ring      Ring   // the snapshot that this job keeps to its end
	List      bool   // update: look for suffixes that the cache does not know
	Hashed    int    // update: suffixes that a survey has hashed for this job already
	Settled   bool   // revert: an earlier pass has proven the handoff long enough ago
	Flight    *Flight
}

// PartitionDone is a partition actor's last report. Receiver: its device, which
// stops the actor. A partition actor that ends without one has crashed.
type PartitionDone struct {
	Outcome Outcome
}

// PartitionStuck says that a call of this job has not returned in time. The job
// is over: its numbers are final. The actor stays until the call returns and
// then sends PartitionDone with an outcome that is not counted.
// Sender: partition. Receiver: its device, which gives the slot back and stalls.
type PartitionStuck struct {
	Outcome Outcome
}

// GiveUp tells a partition actor that its disk has stalled: its job is over as if a
// call of its own had not returned in time. Sender: device. Receiver: partition,
// which answers PartitionStuck unless it has just ended.
type GiveUp struct{ Why string }
