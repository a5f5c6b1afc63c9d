package messages

import (
	"fmt"
	"time"
)

// PushAsk asks whether a push may begin now.
type PushAsk struct {
	Partition Partition
	Node      Node          // who receives
	Degraded  bool          // the node lacks what it should have; else the data is whole and lies in the wrong place
	Waited    time.Duration // since this job asked for the first time
}

// BusyError says that the disk at one end of a push takes no more now.
type BusyError struct {
	Device string        // which one, and whose
	After  time.Duration // when to ask again
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s takes no more pushes now, ask again in %v", e.Device, e.After)
}
