// Package statsd sends statistics in Swift's words to a statsd server: one UDP
// datagram a metric, `prefix.name:value|type[|@rate]`.
//
// Its methods never block: metrics wait in a short queue, and those that find it
// full are dropped, as a datagram may be. (Client libraries send on the caller's
// goroutine, which an actor must not do.)
//
// Swift: common/utils.py StatsdClient.
package statsd

import (
	"math"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	queueLength  = 4096        // metrics waiting to be sent
	resolveEvery = time.Minute // how long an address of the server is believed
	quietFor     = time.Minute // between two lines about trouble
)

// Config says where metrics go.
type Config struct {
	Host        string // name or address of the server
	Port        int
	BasePrefix  string  // log_statsd_metric_prefix
	TailPrefix  string  // log_name
	DefaultRate float64 // of samples that are sent, before the factor
	RateFactor  float64
	Log         zerolog.Logger
	Random      func() float64 // in [0, 1); nil: the runtime's
}

// Client sends metrics. It is safe for concurrent use.
type Client struct {
	cfg     Config
	prefix  string
	rate    float64
	queue   chan string
	end     chan struct{}
	wait    sync.WaitGroup
	once    sync.Once
	dropped atomic.Uint64
}

// New starts a client. A server that cannot be found is no error: its name is
// looked up again and again.
func New(cfg Config) *Client {
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	c := &Client{
		cfg: cfg, prefix: prefix(cfg.BasePrefix, cfg.TailPrefix), rate: cfg.DefaultRate * cfg.RateFactor,
		queue: make(chan string, queueLength), end: make(chan struct{}),
	}
	c.wait.Add(1)
	go c.run()
	return c
}

func prefix(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		if p != "" {
			b.WriteString(p + ".")
		}
	}
	return b.String()
}

// Count sends a counter, also a zero.
func (c *Client) Count(name string, n int) { c.put(name, strconv.Itoa(n), "c") }

// Timing sends a duration in milliseconds, rounded to four decimals as newer
// Swift does.
func (c *Client) Timing(name string, d time.Duration) {
	ms := math.RoundToEven(float64(d)/float64(time.Millisecond)*1e4) / 1e4
	c.put(name, float(ms), "ms")
}

// Dropped is how many metrics found the queue full.
func (c *Client) Dropped() uint64 { return c.dropped.Load() }

// Close sends what waits, if that takes no longer than a second.
func (c *Client) Close() {
	c.once.Do(func() { close(c.end) })
	done := make(chan struct{})
	go func() { c.wait.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

func (c *Client) put(name, value, kind string) {
	metric := c.prefix + name + ":" + value + "|" + kind
	if c.rate < 1 {
		if c.cfg.Random() >= c.rate {
			return
		}
		metric += "|@" + float(c.rate)
	}
	select {
	case c.queue <- metric:
	default:
		c.dropped.Add(1)
	}
}

// float writes a number as Python's str does for the range of rates and times.
func float(f float64) string {
	if f != 0 && math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16 {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// run sends what is queued until the end.
func (c *Client) run() {
	defer c.wait.Done()
	s := sender{cfg: c.cfg}
	defer s.close()
	for {
		select {
		case m := <-c.queue:
			s.send(m)
		case <-c.end:
			for {
				select {
				case m := <-c.queue:
					s.send(m)
				default:
					return
				}
			}
		}
	}
}

// sender holds the socket. The server's name is looked up again now and then, for
// operators move servers by name.
type sender struct {
	cfg    Config
	conn   net.Conn
	opened time.Time
	told   time.Time
}

func (s *sender) send(metric string) {
	if time.Since(s.opened) > resolveEvery {
		s.open()
	}
	if s.conn == nil {
		return
	}
	if _, err := s.conn.Write([]byte(metric)); err != nil {
		s.tell(err)
	}
}

func (s *sender) open() {
	s.opened = time.Now()
	address := net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port))
	conn, err := net.DialTimeout("udp4", address, time.Second) // Swift: IPv4 first
	if err != nil {
		conn, err = net.DialTimeout("udp6", address, time.Second)
	}
	if err != nil {
		s.tell(err)
		return // the old address, if there is one, is still the best guess
	}
	s.close()
	s.conn = conn
}

func (s *sender) close() {
	if s.conn != nil {
		s.conn.Close()
	}
}

func (s *sender) tell(err error) {
	if time.Since(s.told) > quietFor {
		s.told = time.Now()
		s.cfg.Log.Warn().Err(err).Str("host", s.cfg.Host).Int("port", s.cfg.Port).Msg("statsd server cannot be reached")
	}
}

// None sends nothing: no server is configured.
type None struct{}

// Count does nothing.
func (None) Count(string, int) {}

// Timing does nothing.
func (None) Timing(string, time.Duration) {}
