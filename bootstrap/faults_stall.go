package bootstrap

import (
	"slices"

	"github.com/rs/zerolog"

	"understudy/internal/fault"
)

// waitedFor are the messages whose loss leaves somebody waiting for ever, by the kind of
// actor that they are for. TestMessagesLostTwiceLate in actors has found them.
var waitedFor = map[string][]string{
	"budget":      {"AskSlots"},
	"device":      {"SlotGranted", "StartPass", "restOver", "PartitionDone", "answer"},
	"partition":   {"StartJob", "answer"},
	"recorder":    {"DevicesChanged"},
	"ringwatcher": {"look", "answer"},
}

// mayStall tells whether a fault may leave a disk, or all, without work until the process
// is started again.
func mayStall(f fault.Fault) bool {
	if f.Place != fault.Actor || f.Do.Verb != "drop" {
		return false
	}
	for kind, lost := range waitedFor {
		if f.For("kind", kind) && slices.ContainsFunc(lost, func(m string) bool { return f.For("message", m) }) {
			return true
		}
	}
	return false
}

// stallWarning is what is told of such a fault.
const stallWarning = "this fault may leave the engine waiting until it is restarted, also when it is over"

// warnOfStalls logs, and returns, the faults of a plan that may stall.
func warnOfStalls(log zerolog.Logger, p fault.Plan) (may []fault.Fault) {
	for _, f := range p.Faults {
		if mayStall(f) {
			log.Warn().Str("fault", f.String()).Msg(stallWarning)
			may = append(may, f)
		}
	}
	return may
}
