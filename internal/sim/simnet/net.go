// Package simnet is a network in memory for simulations: connections that are slow,
// break, stall or come to nothing, as a seed says. Times are virtual, and each
// delivery is an item of the scheduler.
package simnet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"understudy/internal/sim/sched"
)

// Weather is what befalls the connections of a network. Chances are in a thousand.
type Weather struct {
	Slowest  time.Duration // delays are up to this
	Refuse   int           // a connection that is refused
	Reset    int           // one that breaks after some bytes
	Stall    int           // one that delivers nothing more after some bytes
	HalfShut int           // one way ends after some bytes: the other side sees an end, what comes later is lost
	Slow     int           // one that lets a few KiB through in a second
	Noise    int           // one way is noise after some bytes
	Impostor int           // somebody else answers in the place of the peer
	Fragment bool          // what is written comes in pieces
}

// Net is a network. Hosts are named by their addresses.
type Net struct {
	// Impostor talks on a connection in the place of a peer, and closes it. It must be set
	// where the weather has impostors.
	Impostor func(c net.Conn, rng *rand.Rand)

	sched *sched.Sched
	seed  uint64
	count func(kind string) // tells of each fault that fired

	mu        sync.Mutex
	weather   Weather
	listeners map[string]*Listener
	down      map[string]bool // hosts without power
	cut       map[[2]string]bool
	held      []*half // deliveries that wait for a link
	conns     map[*Conn]bool
	dials     map[[2]string]int
}

// New makes a network. count may be nil.
func New(s *sched.Sched, seed uint64, count func(string)) *Net {
	if count == nil {
		count = func(string) {}
	}
	return &Net{
		sched: s, seed: seed, count: count, listeners: map[string]*Listener{}, down: map[string]bool{},
		cut: map[[2]string]bool{}, conns: map[*Conn]bool{}, dials: map[[2]string]int{},
	}
}

// SetWeather changes what befalls connections from now on.
func (n *Net) SetWeather(w Weather) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.weather = w
}

// Cut breaks the way from one host to another. What is under way waits.
func (n *Net) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from, to}] = true
}

// Heal mends all ways and lets what waits go on. Connections that stalled by
// themselves stay so: their ends have to notice.
func (n *Net) Heal() {
	n.mu.Lock()
	held := n.held
	n.held = nil
	clear(n.cut)
	n.mu.Unlock()
	for _, h := range held {
		h.post()
	}
}

// Open is how many ends of connections are open.
func (n *Net) Open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

func (n *Net) blocked(from, to string) bool {
	return n.cut[[2]string{from, to}] || n.down[from] || n.down[to]
}

// Down takes a host from the network. Without power nobody hears of it; when only its
// process has ended the other ends are told. Its own ends are of no use at once.
func (n *Net) Down(host string, power bool) {
	n.mu.Lock()
	if power {
		n.down[host] = true
	}
	for _, address := range slices.Sorted(maps.Keys(n.listeners)) {
		if l := n.listeners[address]; l.host == host {
			delete(n.listeners, address)
			l.shut()
		}
	}
	var ends []*Conn
	for c := range n.conns {
		if c.local.IP.String() == host {
			ends = append(ends, c)
		}
	}
	n.mu.Unlock()
	slices.SortFunc(ends, func(a, b *Conn) int { return strings.Compare(a.name, b.name) })
	for _, c := range ends {
		c.broken()
	}
	for _, c := range ends {
		if !power {
			peer := c.peer
			n.sched.Post(c.name+" reset", func() { peer.broken() })
		}
	}
}

// Up brings a host back. Whoever still talks to its earlier life is told.
func (n *Net) Up(host string) {
	n.mu.Lock()
	delete(n.down, host)
	var ends []*Conn
	for c := range n.conns {
		if c.remote.IP.String() == host {
			ends = append(ends, c)
		}
	}
	n.mu.Unlock()
	for _, c := range ends {
		n.sched.Post(c.name+" reset", func() { c.broken() })
	}
}

// Listener accepts the connections to one address.
type Listener struct {
	net    *Net
	host   string
	addr   *net.TCPAddr
	queue  chan *Conn
	closed chan struct{}

	mu   sync.Mutex
	over bool
}

// Listen opens an address of a host.
func (n *Net) Listen(host string, port int) *Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &Listener{
		net: n, host: host, addr: &net.TCPAddr{IP: net.ParseIP(host), Port: port},
		queue: make(chan *Conn, 1024), closed: make(chan struct{}),
	}
	n.listeners[l.addr.String()] = l
	return l
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select { // take never makes both possible
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// shut ends a listener. Connections that nobody has taken break, as the kernel does it.
func (l *Listener) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	for {
		select {
		case c := <-l.queue:
			l.net.sched.Post(c.name+" never accepted", func() { c.peer.broken(); _ = c.Close() })
		default:
			close(l.closed)
			return
		}
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.net.mu.Lock()
	if l.net.listeners[l.addr.String()] == l {
		delete(l.net.listeners, l.addr.String())
	}
	l.net.mu.Unlock()
	l.shut()
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// Dialer dials from one host.
func (n *Net) Dialer(host string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) { return n.dial(ctx, host, address) }
}

func (n *Net) dial(ctx context.Context, from, address string) (net.Conn, error) {
	to, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, _ := strconv.Atoi(portText)
	remote := &net.TCPAddr{IP: net.ParseIP(to), Port: port}
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: remote, Err: err}
	}
	n.sched.Gate("net " + from + ">" + to + " dial")
	n.mu.Lock()
	key := [2]string{from, to}
	n.dials[key]++
	name := fmt.Sprintf("net %s>%s #%d", from, to, n.dials[key])
	rng := sched.Source(n.seed, name)
	weather := n.weather
	blocked := n.blocked(from, to) || n.blocked(to, from)
	n.mu.Unlock()
	if blocked {
		n.count("net: nobody there")
		<-ctx.Done()
		n.sched.Gate(name + " gives up")
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fail(os.ErrDeadlineExceeded)
		}
		return fail(ctx.Err())
	}
	if err := n.pause(ctx, name+" syn", n.delay(rng, weather)); err != nil {
		return fail(os.ErrDeadlineExceeded)
	}
	if rng.IntN(1000) < weather.Refuse {
		n.count("net: refused")
		return fail(syscall.ECONNREFUSED)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[remote.String()]
	if l == nil || n.blocked(from, to) {
		return fail(syscall.ECONNREFUSED)
	}
	here, there := n.pair(name, &net.TCPAddr{IP: net.ParseIP(from), Port: 10000 + n.dials[key]%50000}, remote, rng, weather)
	if rng.IntN(1000) < weather.Impostor {
		n.count("net: impostor")
		n.sched.Go(name+" impostor", func() { n.Impostor(there, rng) })
		return here, nil
	}
	n.sched.Post(name+" accept", func() { l.take(there) })
	return here, nil
}

// take puts a connection where Accept finds it.
func (l *Listener) take(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		select {
		case l.queue <- c:
			return
		default:
		}
	}
	c.peer.broken()
	_ = c.Close()
}

// delay draws how long something is under way: mostly short, seldom long.
func (n *Net) delay(rng *rand.Rand, w Weather) time.Duration {
	if w.Slowest <= 0 {
		return 0
	}
	d := time.Duration(rng.Int64N(int64(w.Slowest)))
	if rng.IntN(20) != 0 {
		d /= 100
	}
	return d
}

// pause waits for a virtual time.
func (n *Net) pause(ctx context.Context, name string, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	over := make(chan struct{})
	n.sched.After(d, name, func() { close(over) })
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		n.sched.Gate(name + " gives up")
		return ctx.Err()
	}
}

// Calm is weather in which nothing breaks. It is as slow as before.
func (w Weather) Calm() Weather {
	return Weather{Slowest: min(w.Slowest, 100*time.Millisecond), Fragment: w.Fragment}
}
