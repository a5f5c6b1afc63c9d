package remoteapi

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/messages/controlpb"
)

// Engine is what a facade asks: a bootstrap.Engine.
type Engine interface {
	Report(ctx context.Context) (*bootstrap.Report, error)
	Do(ctx context.Context, c bootstrap.Command) (*bootstrap.Done, error)
	// PID is that of the supervisor at the moment, or nil.
	PID() *actor.PID
}

const (
	mostAtWork = 16              // questions of a facade to its engine
	patience   = 8 * time.Second // of each
)

// facade is what other processes reach of an engine. It owns the subscriptions.
type facade struct {
	node   string
	engine Engine
	admits *Admission // nil: no account is kept of pushes
	log    zerolog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	busy   int
	heard  *eventstream.Subscription
	lists  subscriptions
}

// questionOver tells the facade that a question has come back.
type questionOver struct{}

func (*questionOver) IgnoreDeadLetterLogging() {}

func facadeProps(e Engine, a *Admission, node string, log zerolog.Logger) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		ctx, cancel := context.WithCancel(context.Background())
		return &facade{node: node, engine: e, admits: a, log: log, ctx: ctx, cancel: cancel, lists: newSubscriptions()}
	})
}

// Receive implements actor.Actor. A panic costs the message and nothing else: the
// library's restarts are counted, and after ten the facade would be gone.
func (f *facade) Receive(c actor.Context) {
	defer func() {
		if r := recover(); r != nil {
			f.log.Error().Str("actor", c.Self().Id).Interface("panic", r).Bytes("stack", debug.Stack()).Msg("facade panicked")
		}
	}()
	switch m := c.Message().(type) {
	case *actor.Started:
		f.heard = f.lists.hear(c, f.engine)
	case *controlpb.Request:
		f.asked(c, m)
	case *questionOver:
		f.busy--
	case *heard:
		f.lists.tell(c, m)
	case *leaseDue:
		f.lists.expire(c)
	case *actor.Stopping, *actor.Restarting:
		f.cancel()
		f.lists.end()
		if f.heard != nil {
			c.ActorSystem().EventStream.Unsubscribe(f.heard)
		}
	}
}

// asked answers a request, at once or when the engine has.
func (f *facade) asked(c actor.Context, m *controlpb.Request) {
	to := c.Sender()
	if to == nil {
		return // nobody wants to know
	}
	switch q := m.Command.(type) {
	case nil:
		c.Send(to, failed(controlpb.Error_REFUSED, "the request asks for nothing that is known here"))
		return
	case *controlpb.Request_Subscribe:
		if !speaks(m) {
			break
		}
		c.Send(to, f.lists.add(c, to, q.Subscribe))
		return
	case *controlpb.Request_GetIdentity:
		who := &controlpb.Identity{Node: text(f.node), Incarnation: c.ActorSystem().ID}
		c.Send(to, &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Identity{Identity: who}})
		return
	case *controlpb.Request_Unsubscribe:
		f.lists.remove(to)
		c.Send(to, &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Subscribed{Subscribed: &controlpb.Subscribed{}}})
		return
	}
	if r := f.admits.reservation(to, m); r != nil {
		c.Send(to, r)
		return
	}
	switch {
	case !speaks(m):
		c.Send(to, otherVersion(m))
	case f.busy >= mostAtWork:
		c.Send(to, failed(controlpb.Error_TOO_MANY, "too many requests are at work"))
	default:
		f.busy++
		root, self, engine, admits, ctx := c.ActorSystem().Root, c.Self(), f.engine, f.admits, f.ctx
		go func() {
			root.Send(to, admits.account(answer(ctx, engine, m)))
			root.Send(self, &questionOver{})
		}()
	}
}

func speaks(m *controlpb.Request) bool { return m.Version == controlpb.Version }

// answer asks the engine. It does not panic.
func answer(ctx context.Context, e Engine, m *controlpb.Request) (r *controlpb.Reply) {
	defer func() {
		if p := recover(); p != nil {
			r = failed(controlpb.Error_UNAVAILABLE, fmt.Sprintf("panic: %v", p))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if q, ok := m.Command.(*controlpb.Request_GetStatus); ok {
		report, err := e.Report(ctx)
		if err != nil {
			return failure(err)
		}
		return statusOf(report, q.GetStatus.GetFull())
	}
	command, err := commandOf(m)
	if err != nil {
		return failure(err)
	}
	done, err := e.Do(ctx, command)
	if err != nil {
		return failure(err)
	}
	return doneOf(done)
}
