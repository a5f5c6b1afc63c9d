package pushes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/unixsock"
	"understudy/messages"
)

const (
	patience = 1800 * time.Millisecond // for an agent, who waits for others: the engine has 2 s
	rest     = 30 * time.Second        // for which an agent that did not answer is not asked
	beat     = 10 * time.Second        // how often a daemon says that its push still runs
)

// Client asks an agent: the actors.Admission of a daemon. It is safe for concurrent use.
type Client struct {
	path string
	log  zerolog.Logger
	beat time.Duration

	mu    sync.Mutex
	until time.Time // the agent is not asked until then
	gone  bool      // it did not answer when it was asked last
}

// NewClient makes a client of the agent that listens on a path. It does no I/O.
func NewClient(path string, log zerolog.Logger) *Client {
	return &Client{path: path, log: log, beat: beat}
}

// Asks implements actors.Admission.
func (c *Client) Asks(messages.Node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !time.Now().Before(c.until)
}

// Reserve implements actors.Admission.
func (c *Client) Reserve(ctx context.Context, p messages.PushAsk) (release func(), err error) {
	own, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	release, a, err := c.ask(own, question{Partition: p.Partition, Node: p.Node, Degraded: p.Degraded, Waited: p.Waited.Seconds()})
	if ctx.Err() != nil {
		return release, err // the job has ended: that tells nothing about the agent
	}
	c.heard(err)
	if err == nil {
		err = a.err()
	}
	return release, err
}

// ask returns what ends the reservation, if it has been granted.
func (c *Client) ask(ctx context.Context, q question) (release func(), a answer, err error) {
	conn, err := unixsock.Dial(ctx, c.path, patience)
	if err != nil {
		return nil, a, fmt.Errorf("ask the agent: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	line, err := json.Marshal(q)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	if err == nil {
		err = read(conn, &a)
	}
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil || !a.Granted {
		_ = conn.Close()
		if err != nil {
			err = fmt.Errorf("ask the agent on %s: %w", c.path, err)
		}
		return nil, a, err
	}
	over := make(chan struct{})
	go c.hold(conn, over)
	return sync.OnceFunc(func() { close(over) }), a, nil
}

// hold says now and then that the push still runs, and gives the reservation back when it
// is over.
func (c *Client) hold(conn net.Conn, over <-chan struct{}) {
	defer conn.Close()
	tick := time.NewTicker(c.beat)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		_ = conn.SetWriteDeadline(time.Now().Add(c.beat))
		if _, err := conn.Write([]byte("\n")); err != nil {
			return // the agent is gone: the push goes on without
		}
	}
}

// heard tells when the agent goes, and when it is back.
func (c *Client) heard(err error) {
	c.mu.Lock()
	was := c.gone
	c.gone = err != nil
	if c.gone {
		c.until = time.Now().Add(rest)
	}
	c.mu.Unlock()
	switch {
	case err != nil && !was:
		c.log.Warn().Err(err).Msg("pushes begin unasked: the agent does not answer")
	case err == nil && was:
		c.log.Info().Str("socket", c.path).Msg("the agent answers again, it is asked before pushes")
	}
}
