package messages

import "github.com/asynkron/protoactor-go/actor"

// Events tell the program that embeds an engine what goes on. They are published on the
// event stream of its actor system, where Engine, the PID of the supervisor, tells several
// engines apart. A subscriber runs in the actor that publishes: it must return at once. A
// panic of its is logged and goes no further.

// EngineStarted says that the tree of an engine stands: at its start, and again each time
// that the host's strategy has restarted the supervisor. Published by: supervisor.
type EngineStarted struct{ Engine *actor.PID }

// RoundEnded says that every device has ended a pass since the round was opened.
// Published by: supervisor.
type RoundEnded struct {
	Engine *actor.PID
	Stats  Stats    // every device's last pass, added up
	Cut    []string // devices whose last pass was cut short
}

// Happened is what supervision has seen: a crash, a birth, a message that reached nobody,
// an operator's word, a device that left its service or came back. Late answers are left
// out. Published by: supervisor; of devices: recorder.
type Happened struct {
	Engine *actor.PID
	Event  SupervisionEvent
}
