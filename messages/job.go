package messages

// StartJob gives a partition actor its work. Sender: the device that spawned it.
type StartJob struct {
	Partition Partition
	Region    int    // region of the local device
	Peers     []Node // the other primaries, in ring order
	Ring      Ring   // the snapshot that this job keeps to its end
	List      bool   // look for suffixes that the cache does not know
}

// PartitionDone is a partition actor's only report. Receiver: its device, which
// stops the actor. A partition actor that ends without one has crashed.
type PartitionDone struct {
	Outcome Outcome
}
