package messages

import "github.com/asynkron/protoactor-go/actor"

// AskSlots asks the budget for further job slots. Every slot asked for is
// answered by exactly one SlotGranted, sooner or later.
// Sender: device (its PID is the account). Receiver: budget.
type AskSlots struct{ N int }

// ReturnSlots gives slots back: a job ended, was given up as stuck, or a slot
// came too late to be of use. Sender: device. Receiver: budget.
type ReturnSlots struct{ N int }

// ClaimSlots tells a budget that has just been born how many slots the device
// holds from its predecessor. Sender: device. Receiver: budget.
type ClaimSlots struct{ N int }

// SlotGranted gives a device one slot. Sender: budget. Receiver: device, which
// puts a job into it or returns it.
type SlotGranted struct{}

// Wiring tells a device whom to talk to. Sender: supervisor, at birth and when
// the budget or the recorder has been replaced after a crash.
type Wiring struct {
	Budget   *actor.PID
	Recorder *actor.PID
}
