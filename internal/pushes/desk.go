package pushes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"understudy/messages"
)

const (
	lineTime = 2 * time.Second // for a question to come, for an answer to be taken
	mostOpen = 1024            // reservations and questions at once
	silence  = 3 * beat        // after which a push counts as over whose daemon says nothing
)

// Admission is an actors.Admission.
type Admission interface {
	Asks(n messages.Node) bool
	Reserve(ctx context.Context, ask messages.PushAsk) (release func(), err error)
}

// Serve answers on a listener by what a says, until ctx ends; then it closes the listener,
// and gives back all that is reserved.
func Serve(ctx context.Context, l net.Listener, a Admission) error {
	return serveAll(ctx, l, a, silence)
}

func serveAll(ctx context.Context, l net.Listener, a Admission, silence time.Duration) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	places := make(chan struct{}, mostOpen)
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return nil
		case err != nil:
			return fmt.Errorf("answer the daemon: %w", err)
		}
		select {
		case places <- struct{}{}:
			all.Go(func() { serve(ctx, c, a, silence); <-places })
		default: // it goes ahead
			_ = c.Close()
		}
	}
}

// serve answers one question and holds what is granted until the other side closes, or is
// silent: a daemon that was stopped, or killed while a thread of it hangs in a dead disk,
// keeps its connections open.
func serve(ctx context.Context, c net.Conn, a Admission, silence time.Duration) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	_ = c.SetDeadline(time.Now().Add(lineTime))
	var q question
	err := read(c, &q)
	var ask messages.PushAsk
	if err == nil {
		ask, err = q.ask()
	}
	var release func()
	if err == nil {
		release, err = reserve(ctx, a, ask)
	}
	if release != nil {
		defer release()
	}
	_ = c.SetDeadline(time.Now().Add(lineTime))
	line, _ := json.Marshal(answerOf(err)) // of strings and numbers
	if _, sent := c.Write(append(line, '\n')); sent != nil || err != nil {
		return
	}
	for said := make([]byte, 64); err == nil; {
		_ = c.SetReadDeadline(time.Now().Add(silence))
		_, err = c.Read(said)
	}
}

var errNobody = errors.New("there is nobody to ask about that node")

func reserve(ctx context.Context, a Admission, ask messages.PushAsk) (func(), error) {
	if !a.Asks(ask.Node) {
		return nil, errNobody
	}
	return a.Reserve(ctx, ask)
}
