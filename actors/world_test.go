package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/messages"
)

// world is everything that the actors see, under a test's control. It runs in a
// synctest bubble: waiting costs nothing and has an exact length.
type world struct {
	t      *testing.T
	system *actor.ActorSystem
	deps   Deps
	opts   Options
	view   *messages.View

	mu      sync.Mutex
	events  []string                  // what the engine did, in order
	inside  int                       // jobs inside the store, the peers or the transport
	most    int                       // most of them at any time
	recon   []map[string]any          // updates of Swift's keys
	states  map[string]map[string]any // what recon tells of each device
	log     bytes.Buffer
	polled  *messages.View // what the next Poll finds
	list    func(ctx context.Context, device string, policy int) (messages.Listing, error)
	hashes  func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error)
	stream  func(ctx context.Context, device string, each func(messages.Listing)) error // nil: list, in one piece
	probe   func(ctx context.Context, device string) (messages.Disk, error)
	notes   map[string]messages.Cursor // by device
	peer    func(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error)
	push    func(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error)
	hold    func(ctx context.Context, p messages.Partition) (Hold, error)
	counted map[string]int // statistics
	done    chan *messages.RunDone
	failure chan error
	root    *actor.PID
	thaw    chan struct{}
}

// table is a ring in which every partition has the primaries that it says.
type table struct {
	parts    [][]int
	nodes    []messages.Node
	local    []int
	next     bool
	explode  bool // panics inside Receive
	exploded func()
}

func (r *table) Partitions() uint32  { return uint32(len(r.parts)) }
func (r *table) NextPartPower() bool { return r.next }
func (r *table) Replicas() float64   { return float64(len(r.parts[0])) }

func (r *table) Primaries(part uint32) (out []messages.Node) {
	if r.explode {
		if r.exploded != nil {
			r.exploded()
		}
		panic("ring table exploded")
	}
	for i, id := range r.parts[part] {
		n := r.nodes[id]
		n.Index = i
		out = append(out, n)
	}
	return out
}

func (r *table) Handoffs(part uint32) iter.Seq[messages.Node] {
	return func(yield func(messages.Node) bool) {
		for id, n := range r.nodes {
			primary := false
			for _, p := range r.parts[part] {
				primary = primary || p == id
			}
			n.Index = -1
			if !primary && !yield(n) {
				return
			}
		}
	}
}
func (r *table) Devices() []messages.Node { return r.nodes }
func (r *table) Local() (out []messages.Node) {
	for _, id := range r.local {
		out = append(out, r.nodes[id])
	}
	return out
}

// someNodes are n devices, each on a node of its own, all in region 1.
func someNodes(n int) (nodes []messages.Node) {
	for i := range n {
		nodes = append(nodes, messages.Node{
			ID: i, Region: 1, Zone: i, IP: fmt.Sprintf("10.0.0.%d", i), Port: 6200,
			ReplicationIP: fmt.Sprintf("10.0.1.%d", i), ReplicationPort: 6300, Device: fmt.Sprintf("d%d", i), Index: -1,
		})
	}
	return nodes
}

func view(version uint64, ring messages.Ring) *messages.View {
	return &messages.View{Version: version, Policies: []messages.PolicyRing{{Policy: messages.Policy{Name: "gold"}, Ring: ring}}}
}

// inWorld runs a test in a bubble, with an engine that is not started yet.
func inWorld(t *testing.T, ring *table, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, done: make(chan *messages.RunDone, 100), failure: make(chan error, 1), thaw: make(chan struct{})}
		w.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(slog.NewTextHandler(io.Discard, nil))
		}))
		w.view = view(1, ring)
		w.defaults()
		test(w)
		w.stop()
		time.Sleep(2 * time.Second) // the library's dead letter throttle lives for a second
		synctest.Wait()
	})
}

func (w *world) defaults() {
	w.opts = Options{
		Slots: 4, Interval: 30 * time.Second, StatsInterval: 300 * time.Second, RingCheckInterval: 15 * time.Second,
		CallTimeout: 30 * time.Minute, ProbeInterval: 15 * time.Second, ProbeTimeout: 30 * time.Second, ErrorLimit: 3, Once: true, IPs: []string{"10.0.1.0"}, Port: 6300,
	}
	w.deps = Deps{
		Clock: bubbleClock{}, Rand: &seeded{r: rand.New(rand.NewPCG(1, 2))}, Go: func(f func()) { go f() },
		Placement: w, Store: w, Peers: peers{w}, Transport: w, Recon: w, Cursors: cursors{w}, Silent: func() []messages.PeerState { return nil }, Metrics: metrics{w}, Log: zerolog.New(&lockedWriter{w: w}),
	}
	w.list = func(context.Context, string, int) (messages.Listing, error) {
		var l messages.Listing
		for i := range w.view.Policies[0].Ring.Partitions() {
			l.Partitions = append(l.Partitions, i)
		}
		return l, nil
	}
	w.probe = func(context.Context, string) (messages.Disk, error) { return messages.DiskFine, nil }
	w.states = map[string]map[string]any{}
	w.notes = map[string]messages.Cursor{}
	same := messages.Hashes{"abc": "00000000000000000000000000000000"}
	w.hashes = func(context.Context, messages.Partition, messages.HashOptions) (messages.HashReport, error) {
		return messages.HashReport{Hashes: same}, nil
	}
	w.peer = func(context.Context, messages.Node, int, uint32) (messages.Hashes, error) { return same, nil }
	w.push = func(context.Context, messages.SyncJob) (messages.SyncResult, error) {
		return messages.SyncResult{OK: true}, nil
	}
	w.counted = map[string]int{}
	w.hold = func(_ context.Context, p messages.Partition) (Hold, error) { return w.holds(p, objects(2)), nil }
	w.system.EventStream.Subscribe(func(m any) {
		if done, ok := m.(*messages.RunDone); ok {
			w.done <- done
		}
	})
}

// start gives birth to the engine.
func (w *world) start() {
	w.t.Helper()
	props := SupervisorProps(w.deps, w.opts, w.view).Clone(actor.WithGuardian(&Guardian{func(err error) { w.failure <- err }}))
	w.root = w.system.Root.Spawn(props)
}

// run starts the engine in script mode and waits for its end.
func (w *world) run() messages.Stats {
	w.t.Helper()
	w.start()
	select {
	case done := <-w.done:
		return done.Stats
	case err := <-w.failure:
		w.t.Fatalf("supervisor failed: %v", err)
	case <-time.After(100 * time.Hour):
		w.t.Fatalf("the pass has not ended in 100 hours\n%s", w.logged())
	}
	return messages.Stats{}
}

func (w *world) stop() {
	w.t.Helper()
	if w.root == nil {
		return
	}
	begun := time.Now()
	if err := StopWithin(w.system, w.root, time.Minute); err != nil {
		w.t.Errorf("stop: %v", err)
	}
	if took := time.Since(begun); took > time.Second {
		w.t.Errorf("stop took %v of virtual time", took)
	}
}

// What a test asks of the world is answered when the instant is over: whatever sleeps
// as long as the test did has had its turn.

func (w *world) snapshot() *messages.Snapshot {
	w.t.Helper()
	synctest.Wait()
	got, err := w.system.Root.RequestFuture(w.root, &messages.GetSnapshot{}, time.Second).Result()
	if err != nil {
		w.t.Fatalf("snapshot: %v", err)
	}
	return got.(*messages.Snapshot)
}

func (w *world) device(name string) messages.DeviceSnapshot {
	for _, d := range w.snapshot().Devices {
		if d.Device == name {
			return d
		}
	}
	w.t.Fatalf("no device %s in the snapshot", name)
	return messages.DeviceSnapshot{}
}

func (w *world) event(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf(format, args...))
}

func (w *world) happened() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.events...)
}

// told is what recon tells of a device.
func (w *world) told(device string) map[string]any {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.states[device]
}

// reconned are the updates of Swift's keys in recon.
func (w *world) reconned() []map[string]any {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]map[string]any(nil), w.recon...)
}

func (w *world) logged() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *world) mustLog(line string) {
	w.t.Helper()
	if !strings.Contains(w.logged(), line) {
		w.t.Errorf("the log lacks %q:\n%s", line, w.logged())
	}
}

func (w *world) enter() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inside++
	w.most = max(w.most, w.inside)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.inside--
	}
}

// The interfaces of Deps.

func (w *world) Poll(_ context.Context, last *messages.View) (*messages.View, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.polled != nil {
		return w.polled, nil
	}
	return last, nil
}
func (w *world) Check(context.Context, string) error { return nil }
func (w *world) List(ctx context.Context, device string, policy int, each func(messages.Listing)) error {
	if w.stream != nil {
		return w.stream(ctx, device, each)
	}
	w.mu.Lock()
	list := w.list
	w.mu.Unlock()
	l, err := list(ctx, device, policy)
	if err == nil {
		each(l)
	}
	return err
}

// swap changes how the world behaves while the engine runs.
func (w *world) swap(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) Probe(ctx context.Context, device string) (messages.Disk, error) {
	w.mu.Lock()
	probe := w.probe
	w.mu.Unlock()
	return probe(ctx, device)
}
func (w *world) Ill(err error) bool { return errors.Is(err, errDisk) }

func (w *world) Hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
	defer w.enter()()
	return w.hashes(ctx, p, o)
}

// Digests are those of the hashes: no partition has others.
func (w *world) Digests(ctx context.Context, device string, asks []messages.DigestAsk, each func(int, messages.DigestReport) bool) error {
	for i, a := range asks {
		if !each(i, w.digest(ctx, device, a)) {
			break
		}
	}
	return ctx.Err()
}

func (w *world) digest(ctx context.Context, device string, a messages.DigestAsk) messages.DigestReport {
	r, err := w.Hashes(ctx, messages.Partition{Device: device, Policy: a.Policy, Number: a.Number}, messages.HashOptions{List: a.List})
	return messages.DigestReport{Digest: digestOf(r.Hashes), Suffixes: len(r.Hashes), Hashed: r.Hashed, Err: err}
}

func (w *world) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	defer w.enter()()
	w.event("sync %s %s %s", job.Partition, job.Node.Device, strings.Join(job.Suffixes, ","))
	return w.push(ctx, job)
}

func (w *world) Update(_ context.Context, entries map[string]any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if states, ok := entries[stateEntries]; ok && len(entries) == 1 {
		for device, state := range states.(map[string]any) {
			w.states[device] = state.(map[string]any)
		}
		return nil
	}
	w.recon = append(w.recon, entries)
	return nil
}

func (w *world) Hold(ctx context.Context, p messages.Partition) (Hold, error) {
	defer w.enter()()
	return w.hold(ctx, p)
}
func (w *world) Path(p messages.Partition) string { return "/srv/node/" + p.String() }

type metrics struct{ w *world }

func (m metrics) Count(name string, n int) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.counted[name] += n
}
func (m metrics) Timing(name string, _ time.Duration) { m.Count(name, 1) }

// objects are n objects of one data file each.
func objects(n int) messages.Files {
	files := messages.Files{}
	for i := range n {
		files[fmt.Sprintf("%029xabc", i)] = []string{"1700000000.00000.data"}
	}
	return files
}

// held is a handoff partition that says what is done with it.
type held struct {
	w     *world
	p     messages.Partition
	files messages.Files
	kept  string // what Remove answers
	err   error
}

func (w *world) holds(p messages.Partition, files messages.Files) *held {
	return &held{w: w, p: p, files: files}
}

func (h *held) Manifest() messages.Manifest {
	return messages.Manifest{Suffixes: []string{"abc"}, Files: h.files}
}

func (h *held) Remove(_ context.Context, files, waiting messages.Files) (messages.Removal, error) {
	whole := files.Count() == h.files.Count()
	h.w.event("remove %d objects of %d whole=%v", len(files), h.p.Number, whole)
	return messages.Removal{Objects: len(files), Whole: whole && h.kept == "", Kept: h.kept, Waits: !whole && files.Count()+waiting.Count() == h.files.Count()}, h.err
}
func (h *held) Release() { h.w.event("release %d", h.p.Number) }

func (w *world) Keep(_ context.Context, key string, names []string) error {
	if key == stateEntries {
		return nil
	}
	w.event("keep %s %s", key, strings.Join(names, ","))
	return nil
}

// cursors keep notes in memory.
type cursors struct{ w *world }

func (k cursors) Load(_ context.Context, device string) (*messages.Cursor, error) {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	if c, ok := k.w.notes[device]; ok {
		return &c, nil
	}
	return nil, nil
}

func (k cursors) Save(_ context.Context, device string, c messages.Cursor) error {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	k.w.notes[device] = c
	return nil
}

func (k cursors) Clear(_ context.Context, device string) error {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	delete(k.w.notes, device)
	return nil
}

type peers struct{ w *world }

func (p peers) Hashes(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
	defer p.w.enter()()
	p.w.mu.Lock()
	peer := p.w.peer
	p.w.mu.Unlock()
	return peer(ctx, n, policy, part)
}

type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now() }
func (bubbleClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

type seeded struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (s *seeded) IntN(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

func (s *seeded) Shuffle(n int, swap func(i, j int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Shuffle(n, swap)
}

type lockedWriter struct{ w *world }

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(b)
}

var errDisk = errors.New("input/output error")

// pause waits as a call does that honours its context.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
