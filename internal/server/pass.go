package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// PassTo is who gets the requests that are not ours. The zero value is nobody.
type PassTo struct {
	Address string        // host:port, numeric
	Dial    time.Duration // to connect; 500ms
	Silence time.Duration // neither side sends, then both are left; 10m. The other server's own limits are shorter
	Places  int           // connections at a time, further ones get 503; three quarters of Limits.Connections
}

// passer carries connections to another server, byte for byte in both directions,
// until that server or the client ends them.
type passer struct {
	cfg    PassTo
	log    zerolog.Logger
	places chan struct{}
	down   atomic.Bool // the last attempt to connect failed

	mu      sync.Mutex
	ended   bool
	conns   map[net.Conn]bool // both ends of all exchanges; true are clients
	running sync.WaitGroup
}

func newPasser(cfg PassTo, log zerolog.Logger) *passer {
	return &passer{cfg: cfg, log: log, places: make(chan struct{}, cfg.Places), conns: map[net.Conn]bool{}}
}

// lingering is how long a connection that is over stays for the client to read the
// last answer: closed with bytes unread it would be reset.
const lingering = 2 * time.Second

// take carries a connection on, of which some bytes have been read already. It
// does not block and owns the connection.
func (p *passer) take(client net.Conn, read []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		_ = client.Close()
		return
	}
	p.conns[client] = true
	p.running.Go(func() {
		defer p.forget(client)
		if err := p.carry(client, read); err != nil {
			p.log.Debug().Err(err).Stringer("peer", client.RemoteAddr()).Str("pass_to", p.cfg.Address).Msg("passed connection broke")
		}
	})
}

func (p *passer) carry(client net.Conn, read []byte) error {
	select {
	case p.places <- struct{}{}:
		defer func() { <-p.places }()
	default:
		p.log.Warn().Int("places", p.cfg.Places).Str("pass_to", p.cfg.Address).Msg("too many connections to pass on")
		return p.refuse(client, read)
	}
	backend, err := net.DialTimeout("tcp", p.cfg.Address, p.cfg.Dial)
	if err != nil {
		if !p.down.Swap(true) {
			p.log.Error().Err(err).Str("pass_to", p.cfg.Address).Msg("the server that requests are passed to does not take them")
		}
		return p.refuse(client, read)
	}
	p.mu.Lock()
	p.conns[backend] = false
	p.mu.Unlock()
	defer p.forget(backend)
	if p.down.Swap(false) {
		p.log.Info().Str("pass_to", p.cfg.Address).Msg("the server that requests are passed to takes them again")
	}
	e := exchange{client: client, backend: backend, silence: p.cfg.Silence}
	return e.run(read)
}

func (p *passer) forget(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// refuse answers that there is nobody to serve a request.
func (p *passer) refuse(client net.Conn, read []byte) error {
	h, _ := parseHead(read[:headEnd(read)])
	a := page(http.StatusServiceUnavailable, "The server is currently unavailable. Please try again at a later time.")
	text := fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: %s\r\nContent-Length: %d\r\nDate: %s\r\nConnection: close\r\n\r\n",
		a.contentType, len(a.body), time.Now().UTC().Format(http.TimeFormat))
	if h.method != http.MethodHead {
		text += a.body
	}
	if err := client.SetDeadline(time.Now().Add(lingering)); err != nil {
		return err
	}
	if _, err := client.Write([]byte(text)); err != nil {
		return err
	}
	return linger(client)
}

// linger ends the stream to a client and reads what it still sends, for a while.
func linger(client net.Conn) error {
	if err := errors.Join(closeWrite(client), client.SetReadDeadline(time.Now().Add(lingering))); err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		if _, err := client.Read(*buf); err != nil {
			return nil // the end, a reset or the deadline: all the same now
		}
	}
}

// end waits until ctx is done for the connections to end, and then cuts them. It
// returns how many it cut. No connection is taken after it.
func (p *passer) end(ctx context.Context) (cut int) {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return 0
	case <-ctx.Done():
	}
	p.mu.Lock()
	for c, isClient := range p.conns {
		reset(c)
		if isClient {
			cut++
		}
	}
	p.mu.Unlock()
	<-done // nothing waits for an end that is closed
	return cut
}

// reset closes a connection so that the other side cannot take it for a good end.
func reset(c net.Conn) {
	inner := c
	if limited, ok := c.(*limitedConn); ok {
		inner = limited.Conn
	}
	if t, ok := inner.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// timedOut tells whether a deadline of ours is over.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
