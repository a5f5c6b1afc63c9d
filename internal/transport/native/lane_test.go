package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"understudy/internal/native"
	"understudy/internal/server"
	"understudy/internal/swift/hashes"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	md5a = "d41d8cd98f00b204e9800998ecf8427e"
	md5b = "00112233445566778899aabbccddeeff"
)

var cluster = native.ClusterOf([]byte("under"), []byte("study"))

// disks are a server's: every partition of every device holds what it says.
type disks struct {
	mu   sync.Mutex
	held map[string]messages.Hashes // by partition path
	gone string                     // a device that is not mounted
}

func (d *disks) get(p messages.Partition) messages.Hashes {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.held[p.String()])
}

func (d *disks) Check(context.Context, string) error { return nil }

func (d *disks) Hashes(_ context.Context, p messages.Partition, _ messages.HashOptions) (messages.HashReport, error) {
	return messages.HashReport{Hashes: d.get(p)}, nil
}

func (d *disks) Invalidate(context.Context, messages.Partition, []string) error { return nil }

func (d *disks) Digests(_ context.Context, device string, asks []messages.DigestAsk, each func(int, messages.DigestReport) bool) error {
	if device == d.gone {
		return &messages.DeviceError{Device: device, Message: "not mounted"}
	}
	for i, a := range asks {
		h := d.get(messages.Partition{Device: device, Policy: a.Policy, Number: a.Number})
		digest, err := native.DigestOf(h)
		if !each(i, messages.DigestReport{Digest: digest, Suffixes: len(h), Err: err}) {
			break
		}
	}
	return nil
}

// neighbour is another node: our server, or whatever handler stands in for it.
type neighbour struct {
	disks
	cluster atomic.Pointer[native.Cluster]
	ring    atomic.Uint64
	asked   sync.Map // method → *atomic.Int64
	http    *httptest.Server
	swap    atomic.Pointer[http.HandlerFunc] // answers in place of the server
}

func newNeighbour(t *testing.T) *neighbour {
	t.Helper()
	p := &neighbour{disks: disks{held: map[string]messages.Hashes{}}}
	p.ring.Store(12)
	p.cluster.Store(&cluster)
	p.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := p.asked.LoadOrStore(r.Method, &atomic.Int64{})
		n.(*atomic.Int64).Add(1)
		if f := p.swap.Load(); f != nil {
			(*f)(w, r)
			return
		}
		server.New(server.Config{
			Store: p, Policies: []messages.Policy{{Index: 0}, {Index: 1}}, Log: zerolog.Nop(),
			Lane: &server.Lane{Store: p, Cluster: *p.cluster.Load(), Ring: func(int) uint64 { return p.ring.Load() }},
		}).ServeHTTP(w, r)
	}))
	t.Cleanup(p.http.Close)
	return p
}

func (p *neighbour) count(method string) int {
	n, ok := p.asked.Load(method)
	if !ok {
		return 0
	}
	return int(n.(*atomic.Int64).Load())
}

func (p *neighbour) answers(f http.HandlerFunc) { p.swap.Store(&f) }

func (p *neighbour) node(device string) messages.Node {
	host, port, _ := net.SplitHostPort(p.http.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return messages.Node{ReplicationIP: host, ReplicationPort: n, Device: device}
}

// rig is a lane and the REPLICATE client that it learns from.
type rig struct {
	*testing.T
	*Lane
	client *replicate.Client
	peers  Peers
	ring   atomic.Uint64
	ahead  atomic.Int64 // of the clock, ns
	log    *logBuffer
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func newRig(t *testing.T, timeout time.Duration) *rig {
	t.Helper()
	r := &rig{T: t, log: &logBuffer{}}
	r.ring.Store(12)
	r.Lane = New(Config{
		ConnTimeout: 10 * time.Second, HTTPTimeout: timeout, UserAgent: "object-replicator 1", Cluster: cluster,
		Ring: func(int) uint64 { return r.ring.Load() }, Log: zerolog.New(r.log),
		Now: func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) },
	})
	r.client = replicate.New(replicate.Config{ConnTimeout: 10 * time.Second, HTTPTimeout: timeout, UserAgent: "object-replicator 1", Heard: r.Heard})
	r.peers = r.Peers(r.client)
	t.Cleanup(r.client.Close)
	t.Cleanup(r.Close)
	return r
}

func (r *rig) pass(d time.Duration) { r.ahead.Add(int64(d)) }

// learn asks for a partition, which tells that the peer is ours.
func (r *rig) learn(p *neighbour) error {
	_, err := r.peers.Hashes(r.Context(), p.node("sda"), 0, 1)
	return err
}

func (r *rig) mustLearn(p *neighbour) {
	r.Helper()
	if err := r.learn(p); err != nil {
		r.Fatal(err)
	}
	if !r.Any() || !r.Ours(p.node("sda")) {
		r.Fatal("not known as ours")
	}
}

func asksOf(p *neighbour, device string, policy int, from, n int, h messages.Hashes) (list []messages.SurveyAsk) {
	d, err := native.DigestOf(h)
	if err != nil {
		panic(err)
	}
	for i := range n {
		list = append(list, messages.SurveyAsk{Node: p.node(device), Policy: policy, Number: uint32(from + i), Digest: d, Suffixes: len(h)})
	}
	return list
}

// Several devices and policies of several nodes, one request for each node and policy,
// and every answer at its place.
func TestSurvey(t *testing.T) {
	r := newRig(t, time.Minute)
	a, b := newNeighbour(t), newNeighbour(t)
	local := messages.Hashes{"abc": md5a, "def": ""}
	for _, path := range []string{"sda/objects/7", "sdb/objects/7", "sdb/objects-1/7"} {
		a.held[path], b.held[path] = local, local
	}
	a.held["sda/objects/8"] = messages.Hashes{"abc": md5a, "def": "", "fff": md5b}
	a.held["sda/objects/9"] = messages.Hashes{"abc": md5b}
	b.gone = "sdz"
	if answers := r.Survey(t.Context(), asksOf(a, "sda", 0, 7, 2, local)); answers[0].Finding != messages.Unknown || a.count(native.Method) != 0 {
		t.Errorf("before anything is known: %+v", answers)
	}
	r.mustLearn(a)
	r.mustLearn(b)
	before := a.count(native.Method)
	var asks []messages.SurveyAsk
	asks = append(asks, asksOf(b, "sdz", 0, 7, 1, local)...)
	asks = append(asks, asksOf(a, "sdb", 1, 7, 1, local)...)
	asks = append(asks, asksOf(a, "sdb", 0, 7, 1, local)...)
	asks = append(asks, asksOf(a, "sda", 0, 7, 4, local)...)
	asks = append(asks, asksOf(b, "sdb", 0, 7, 1, local)...)
	asks = append(asks, asksOf(a, "sda", 0, 7, 1, local)...) // again
	asks = append(asks, asksOf(a, "", 0, 7, 1, local)...)
	asks = append(asks, asksOf(a, strings.Repeat("x", 300), 0, 7, 1, local)...)
	got := fmt.Sprint(r.Survey(t.Context(), asks))
	same, unknown, other := messages.SurveyAnswer{Finding: messages.Same}, messages.SurveyAnswer{}, messages.SurveyAnswer{Finding: messages.Differs}
	more := messages.SurveyAnswer{Finding: messages.Differs, Hashes: a.held["sda/objects/8"]}
	want := fmt.Sprint([]messages.SurveyAnswer{unknown, same, same, same, more, other, other, same, unknown, unknown, unknown})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if n := a.count(native.Method) - before; n != 2 {
		t.Errorf("%d requests, want one for each policy", n)
	}
}

// A million asks would be cut into requests that the format allows.
func TestParts(t *testing.T) {
	p := newNeighbour(t)
	for _, test := range []struct {
		name  string
		asks  []messages.SurveyAsk
		parts []int
	}{
		{"partitions", asksOf(p, "sda", 0, 0, 10_000, nil), []int{4096, 4096, 1808}},
		{"devices", func() (list []messages.SurveyAsk) {
			for i := range 1500 {
				list = append(list, asksOf(p, fmt.Sprintf("d%04d", i), 0, 7, 1, nil)...)
			}
			return list
		}(), []int{1024, 476}},
	} {
		var got []int
		for part := range parts(test.asks) {
			got = append(got, len(part))
		}
		if fmt.Sprint(got) != fmt.Sprint(test.parts) {
			t.Errorf("%s: %v, want %v", test.name, got, test.parts)
		}
	}
}

// A peer is ours from its first offer on, for an hour, until an answer without one or
// the loss of the connection.
func TestOffers(t *testing.T) {
	r := newRig(t, time.Minute)
	p := newNeighbour(t)
	n := p.node("sda")
	ours := func(want bool, when string) {
		t.Helper()
		if r.Ours(n) != want || r.Any() != want {
			t.Errorf("%s: ours %v, any %v, want %v", when, r.Ours(n), r.Any(), want)
		}
	}
	ours(false, "at first")
	for _, header := range []string{"survey/1", "survey/9, survey/1", " survey/1 ,x"} {
		r.Heard(n, header, nil)
		ours(true, header)
		r.Heard(n, "", nil)
		ours(false, "an answer without")
	}
	for _, header := range []string{"survey/2", "survey", "xsurvey/1"} {
		r.Heard(n, header, nil)
		ours(false, header)
	}
	r.Heard(n, "survey/1", nil)
	r.pass(59 * time.Minute)
	ours(true, "within the hour")
	r.pass(2 * time.Minute)
	if r.Ours(n) {
		t.Error("ours after an hour")
	}
	r.Heard(n, "survey/1", nil)
	r.Heard(n, "", errors.New("connection refused"))
	ours(false, "without a connection")
	r.mustLearn(p)
	p.http.Close()
	if got := r.Survey(t.Context(), asksOf(p, "sda", 0, 1, 3, nil)); got[0].Finding != messages.Unknown {
		t.Errorf("%+v", got)
	}
	ours(false, "after a survey that found nobody")
	r.Heard(n, "survey/1", nil)
	ours(true, "started again")
}

// A peer that offers surveys and does not keep its word is asked the ordinary way for
// a while, whatever it offers meanwhile; its questions go on all the time.
func TestBrokenPromises(t *testing.T) {
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) })
	for name, f := range map[string]http.HandlerFunc{
		"405":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(405) },
		"404":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"400":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) },
		"412":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(412) },
		"501":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(501) },
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"empty":   func(http.ResponseWriter, *http.Request) {},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for range 40 {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		},
		"of another": func(w http.ResponseWriter, _ *http.Request) {
			out, _ := (&native.Answer{Groups: []native.State{native.Looked}}).Encode([]byte("another request"))
			_, _ = w.Write(out)
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			timeout := time.Minute
			if name == "hangs" {
				timeout = 300 * time.Millisecond
			}
			r := newRig(t, timeout)
			p := newNeighbour(t)
			r.mustLearn(p)
			p.answers(func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set(native.Header, native.Offer)
				if req.Method == native.Method {
					_, _ = io.Copy(io.Discard, req.Body)
					f(w, req)
					return
				}
				_, _ = w.Write(hashes.EncodeWire(nil))
			})
			before := p.count(native.Method)
			if got := r.Survey(t.Context(), asksOf(p, "sda", 0, 1, 3, nil)); got[0].Finding != messages.Unknown || got[2].Finding != messages.Unknown {
				t.Errorf("%+v", got)
			}
			for range 3 {
				if err := r.learn(p); err != nil {
					t.Errorf("the compatible lane: %v", err)
				}
			}
			if r.Ours(p.node("sda")) {
				t.Error("believed again at once")
			}
			tried := p.count(native.Method) - before
			if tried < 1 || name != "hangs up" && tried != 1 { // net/http may try a connection that was kept once more
				t.Errorf("%d surveys", tried)
			}
			p.swap.Store(nil)
			r.pass(shunLasts + time.Second)
			r.mustLearn(p)
			if got := r.Survey(t.Context(), asksOf(p, "sda", 0, 1, 1, nil)); got[0].Finding != messages.Same {
				t.Errorf("later: %+v", got)
			}
		})
	}
}

// A peer in trouble is ours still.
func TestBusyPeer(t *testing.T) {
	r := newRig(t, time.Minute)
	p := newNeighbour(t)
	r.mustLearn(p)
	p.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	if got := r.Survey(t.Context(), asksOf(p, "sda", 0, 1, 1, nil)); got[0].Finding != messages.Unknown || !r.Ours(p.node("sda")) {
		t.Errorf("%+v", got)
	}
}
