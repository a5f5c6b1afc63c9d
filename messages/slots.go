package messages

import "github.com/asynkron/protoactor-go/actor"

// WantSlots states a device's whole position towards the budget: how many slots
// it holds and how many more it would use now. It replaces every earlier
// statement of the same device, so that repeating it does no harm.
// Sender: device (its PID is the key). Receiver: budget.
type WantSlots struct {
	Device string
	Held   int // slots with a job in them
	Wanted int // further slots that a job waits for
}

// SlotGranted gives a device one slot. Sender: budget. Receiver: device, which
// answers with a WantSlots once it has used the slot or has no use for it.
type SlotGranted struct{}

// Wiring tells a device whom to talk to. Sender: supervisor, at birth and when
// the budget or the recorder has been replaced after a crash.
type Wiring struct {
	Budget   *actor.PID
	Recorder *actor.PID
}
