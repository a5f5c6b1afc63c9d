package actors

import (
	"context"
	"crypto/md5"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// digestOf is a digest for tests: equal when the hashes are.
func digestOf(h messages.Hashes) messages.Digest { return md5.Sum(fmt.Append(nil, h)) }

// lane is peers of which some take surveys. They answer from what the world's peers
// have.
type lane struct {
	w       *world
	ours    func(messages.Node) bool
	surveys atomic.Int64
	asked   atomic.Int64
	wait    func(ctx context.Context)
}

// withLane gives the world a lane on which all peers are ours.
func withLane(w *world) *lane {
	l := &lane{w: w, ours: func(messages.Node) bool { return true }, wait: func(context.Context) {}}
	w.deps.Lane = l
	return l
}

func (l *lane) Any() bool                 { return true }
func (l *lane) Ours(n messages.Node) bool { return l.ours(n) }

func (l *lane) Survey(ctx context.Context, asks []messages.SurveyAsk) []messages.SurveyAnswer {
	l.surveys.Add(1)
	l.asked.Add(int64(len(asks)))
	l.wait(ctx)
	out := make([]messages.SurveyAnswer, len(asks))
	for i, a := range asks {
		h, err := l.w.peer(ctx, a.Node, a.Policy, a.Number)
		switch {
		case err != nil:
		case digestOf(h) == a.Digest:
			out[i].Finding = messages.Same
		default:
			out[i] = messages.SurveyAnswer{Finding: messages.Differs, Hashes: h}
		}
	}
	return out
}

// jobs counts the partition actors that are born.
func jobs(w *world) *atomic.Int64 {
	n := &atomic.Int64{}
	w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
			if _, ok := e.Message.(*messages.StartJob); ok {
				n.Add(1)
			}
			next(c, e)
		}
	})
	return n
}

// numbers are what a run leaves behind.
type numbers struct {
	stats   messages.Counts
	counted map[string]int
	lines   string
}

func (w *world) numbers() numbers {
	n := numbers{stats: w.run().Counts, counted: w.counted}
	for line := range strings.Lines(w.logged()) {
		if strings.Contains(line, "suffixes checked") || strings.Contains(line, "partitions replicated in") {
			_, line, _ = strings.Cut(line, `"message":"`)
			line, _, _ = strings.Cut(line, " in 0")
			n.lines += line
		}
	}
	return n
}

// deaf takes surveys and tells nothing.
type deaf struct{ *lane }

func (d deaf) Survey(_ context.Context, asks []messages.SurveyAsk) []messages.SurveyAnswer {
	return make([]messages.SurveyAnswer, len(asks))
}

// noDigests is a store that makes none.
type noDigests struct {
	*world
	err error
}

func (s noDigests) Digests(context.Context, string, []messages.DigestAsk, func(int, messages.DigestReport) bool) error {
	return s.err
}
