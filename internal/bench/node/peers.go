package node

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"understudy/internal/swift/hashes"
)

// Peers answer REPLICATE for the node itself and for the two others of its ring, as
// fast as they can and always alike. They do nothing else.
type Peers struct {
	asking    func(partition uint32) // called at every request for hashes; may be nil
	first     atomic.Int64           // Unix time of the first request in ns; 0: none yet
	asked     atomic.Int64           // requests for hashes
	open      atomic.Int64           // connections
	prefix    string
	listeners []net.Listener
	answer    []byte // to a request for hashes
	none      []byte // to one that tells of changed suffixes
}

// port is the peers' own; every node has an address to itself.
const port = 26300

func listen(content map[string]string) (*Peers, error) {
	p := &Peers{answer: answer(hashes.EncodeWire(content)), none: answer([]byte(hashes.WireNone))}
	for range 200 {
		p.prefix = fmt.Sprintf("127.%d.%d.", 32+rand.IntN(200), rand.IntN(256))
		err := p.listen()
		if err == nil {
			return p, nil
		}
		p.close()
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("listen as the peers: %w", err)
		}
	}
	return nil, errors.New("listen as the peers: all addresses that were tried are taken")
}

func (p *Peers) listen() error {
	p.listeners = nil
	for i := range 3 {
		ip, port := p.address(i)
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		p.listeners = append(p.listeners, l)
		go p.accept(l)
	}
	return nil
}

// address is where a node of the ring listens: 0 is the node itself.
func (p *Peers) address(node int) (string, int) { return p.prefix + strconv.Itoa(node+1), port }

func (p *Peers) close() {
	if p == nil {
		return
	}
	for _, l := range p.listeners {
		l.Close()
	}
}

// Reset forgets what was asked so far, once nothing is left of it on the way. From then
// on every request for a partition's hashes is told to asking, from many goroutines.
func (p *Peers) Reset(asking func(partition uint32)) error {
	deadline := time.Now().Add(10 * time.Second)
	for calm := 0; calm < 3; calm++ { // a connection may wait to be accepted
		if p.open.Load() > 0 {
			calm = -1
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("reset the peers: %d connections are still open", p.open.Load())
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.asking = asking
	p.first.Store(0)
	p.asked.Store(0)
	return nil
}

// First is when the first request came; zero if none has come.
func (p *Peers) First() time.Time {
	if ns := p.first.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// Count is the number of requests for hashes.
func (p *Peers) Count() int { return int(p.asked.Load()) }

func (p *Peers) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.open.Add(1)
		go p.serve(c)
	}
}

func (p *Peers) serve(c net.Conn) {
	defer p.open.Add(-1)
	defer c.Close()
	r := bufio.NewReaderSize(c, 4096)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		partition, told, ok := parse(line)
		if !ok {
			return
		}
		answer := p.none
		if !told {
			answer = p.answer
			p.note(partition)
		}
		for len(bytes.TrimRight(line, "\r\n")) > 0 {
			if line, err = r.ReadSlice('\n'); err != nil {
				return
			}
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func (p *Peers) note(partition uint32) {
	if p.asked.Add(1) == 1 {
		p.first.Store(time.Now().UnixNano())
	}
	if p.asking != nil {
		p.asking(partition)
	}
}

// parse reads "REPLICATE /device/partition[/suffixes] HTTP/1.1".
func parse(line []byte) (partition uint32, told, ok bool) {
	words := bytes.Fields(line)
	if len(words) != 3 || string(words[0]) != "REPLICATE" {
		return 0, false, false
	}
	segments := bytes.Split(words[1], []byte("/"))
	if len(segments) < 3 {
		return 0, false, false
	}
	n, err := strconv.ParseUint(string(segments[2]), 10, 32)
	return uint32(n), len(segments) > 3 && len(segments[3]) > 0, err == nil
}

func answer(body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: %d\r\n\r\n", len(body))
	return append([]byte(head), body...)
}
