package bootstrap_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/swift/ring"
	"understudy/messages"
)

// The behaviours that Swift's own unit tests of the replicator ask for, asked of
// the real engine: real files, real rings and configuration, peers on loopback
// sockets, an rsync that notes what it is told. docs/swift-tests.md says which of
// Swift's tests is which of these.

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// rig is one node with one disk, sda, and two replication policies, whose ring
// gives it partitions 0, 2 and 3 as a primary and 1 as a handoff. Its peers are
// nodes 1 to 6, each with a disk sda of its own.
type rig struct {
	*testing.T
	dir   string
	conf  map[string]string // of object-server.conf
	peers []*peer           // by ring id; 0 is this node
	log   *logLines
}

// newRig makes a node. conf are "option = value" lines that count more than the
// rig's own.
func newRig(t *testing.T, conf ...string) *rig {
	t.Helper()
	r := &rig{T: t, dir: t.TempDir(), log: &logLines{}}
	r.conf = map[string]string{
		"devices": r.path("node"), "swift_dir": r.path("etc"), "recon_cache_path": r.path("cache"), "bind_ip": "127.0.7.100",
		"bind_port": "6200", "mount_check": "false", "conn_timeout": "10", "log_statsd_host": "",
	}
	r.set(conf...)
	for _, dir := range []string{"node/sda", "etc", "cache", "bin"} {
		r.mkdir(dir)
	}
	for _, policy := range []int{0, 1} {
		for part := range 4 {
			r.mkdir(fmt.Sprintf("node/sda/%s/%d", messages.ObjectsDir(policy), part))
		}
	}
	r.write("etc/swift.conf", "[swift-hash]\nswift_hash_path_suffix = endcap\n"+
		"[storage-policy:0]\nname = zero\n[storage-policy:1]\nname = one\ndefault = yes\n")
	r.fakeRsync()
	r.startPeers(6)
	r.rings(0)
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// at is a path below a policy's directory on this node's disk.
func (r *rig) at(policy int, name string) string {
	return filepath.Join(r.path("node/sda"), messages.ObjectsDir(policy), name)
}

func (r *rig) set(lines ...string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " = ")
		r.conf[name] = value
	}
}

func (r *rig) mkdir(name string) {
	r.Helper()
	if err := os.MkdirAll(r.path(name), 0o755); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) write(name, text string) {
	r.Helper()
	r.mkdir(filepath.Dir(name))
	if err := os.WriteFile(r.path(name), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

// remove takes something of this node's disk away.
func (r *rig) remove(paths ...string) {
	r.Helper()
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) exists(path string) bool {
	r.Helper()
	_, err := os.Lstat(path)
	if err != nil && !os.IsNotExist(err) {
		r.Fatal(err)
	}
	return err == nil
}

// mustKeep and mustLack look at partitions of a policy, or paths below them.
func (r *rig) mustKeep(policy int, names ...string) { r.Helper(); r.mustExist(true, policy, names) }

func (r *rig) mustLack(policy int, names ...string) { r.Helper(); r.mustExist(false, policy, names) }

func (r *rig) mustExist(want bool, policy int, names []string) {
	r.Helper()
	for _, name := range names {
		if r.exists(r.at(policy, name)) != want {
			r.Errorf("%s of policy %d: there %v, want %v\n%s", name, policy, !want, want, r.log)
		}
	}
}

// replicas are the three copies of eight partitions. This node has the first four on
// its disk, nodes 4 to 6 have no part in these.
func replicas() [][]uint16 {
	return [][]uint16{{0, 1, 2, 3, 4, 5, 6, 4}, {1, 2, 3, 0, 5, 6, 4, 5}, {2, 3, 0, 1, 6, 4, 5, 6}}
}

// rings writes the rings of both policies.
func (r *rig) rings(nextPartPower int) {
	r.Helper()
	for policy := range 2 {
		r.ring(policy, nextPartPower, replicas(), r.nodes())
	}
}

// nodes are this node and its peers as ring devices, in regions 1, 2, 3, 2, 1, 3
// and 1.
func (r *rig) nodes() []*ring.Device {
	regions := []int{1, 2, 3, 2, 1, 3, 1}
	var out []*ring.Device
	for id, p := range r.peers {
		out = append(out, &ring.Device{
			ID: id, Device: "sda", Zone: id, Region: regions[id], Weight: 1,
			IP: p.ip, Port: 1, ReplicationIP: p.ip, ReplicationPort: p.port,
		})
	}
	return out
}

// ring writes one policy's ring: rows are the replicas, each with the id of the
// device of every partition.
func (r *rig) ring(policy, nextPartPower int, rows [][]uint16, devices []*ring.Device) {
	r.Helper()
	shift := 32
	for n := len(rows[0]); n > 1; n /= 2 {
		shift--
	}
	head := map[string]any{"byteorder": "little", "devs": devices, "part_shift": shift, "replica_count": len(rows)}
	if nextPartPower > 0 {
		head["next_part_power"] = nextPartPower
	}
	text, err := json.Marshal(head)
	if err != nil {
		r.Fatal(err)
	}
	plain := binary.BigEndian.AppendUint32([]byte("R1NG\x00\x01"), uint32(len(text)))
	plain = append(plain, text...)
	for _, row := range rows {
		for _, id := range row {
			plain = binary.LittleEndian.AppendUint16(plain, id)
		}
	}
	var file bytes.Buffer
	gz := gzip.NewWriter(&file)
	if _, err := gz.Write(plain); err != nil {
		r.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		r.Fatal(err)
	}
	r.write(fmt.Sprintf("etc/new%d", policy), file.String())
	if err := os.Rename(r.path(fmt.Sprintf("etc/new%d", policy)), bootstrap.RingPath(r.path("etc"), policy)); err != nil {
		r.Fatal(err)
	}
}

// load reads the node's configuration.
func (r *rig) load() *config.Config {
	r.Helper()
	text := "[object-replicator]\n"
	for name, value := range r.conf {
		text += name + " = " + strings.ReplaceAll(value, "%", "%%") + "\n"
	}
	r.write("etc/object-server.conf", text)
	c, err := config.Load(r.path("etc/object-server.conf"), config.Options{SwiftConf: r.path("etc/swift.conf")})
	if err != nil {
		r.Fatal(err)
	}
	return c
}

func (r *rig) engine(once bool, only actors.Overrides) *bootstrap.Engine {
	r.Helper()
	e, err := bootstrap.New(bootstrap.Settings{Config: r.load(), Once: once, Only: only, Log: zerolog.New(r.log)})
	if err != nil {
		r.Fatal(err)
	}
	return e
}

// pass runs the engine in script mode.
func (r *rig) pass() messages.Stats { r.Helper(); return r.passOf(actors.Overrides{}) }

// passOf is a pass with overrides. Log and notes begin anew with it.
func (r *rig) passOf(only actors.Overrides) messages.Stats {
	r.Helper()
	r.forget()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	stats, err := r.engine(true, only).Run(ctx)
	if err != nil {
		r.Fatalf("run: %v\n%s", err, r.log)
	}
	return stats
}

// daemon runs the engine in daemon mode until the test ends or stop is called.
func (r *rig) daemon() (stop func()) {
	r.Helper()
	e := r.engine(false, actors.Overrides{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx)
		ended <- err
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != context.Canceled && !strings.Contains(err.Error(), context.Canceled.Error()) {
			r.Errorf("run: %v", err)
		}
	})
	r.Cleanup(stop)
	return stop
}

// until waits for something that must come true.
func (r *rig) until(what string, true func() bool) {
	r.Helper()
	for end := time.Now().Add(patience); !true(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("%s: never\n%s", what, r.log)
		}
	}
}

// forget drops the log and all notes of peers and rsync.
func (r *rig) forget() {
	r.log.reset()
	for _, p := range r.peers[1:] {
		p.reset()
	}
	r.remove(r.path("bin/calls"))
}

// mustSay checks the lines of a level in Swift's words, in any order. "…" at the
// end of a wanted line stands for anything.
func (r *rig) mustSay(level string, want ...string) {
	r.Helper()
	got := r.log.swift(level)
	left := slices.Clone(got)
	for _, w := range want {
		i := slices.IndexFunc(left, func(line string) bool {
			begin, open := strings.CutSuffix(w, "…")
			return line == w || open && strings.HasPrefix(line, begin)
		})
		if i < 0 {
			r.Errorf("%s: want %q in\n%s", level, w, strings.Join(got, "\n"))
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		r.Errorf("%s: too much: %q", level, left)
	}
}

// logLines collects log events.
type logLines struct {
	mu     sync.Mutex
	events []logEvent
}

type logEvent struct {
	Level, Message string
	Error          string
	Swift          bool
}

func (l *logLines) Write(p []byte) (int, error) {
	var e logEvent
	if err := json.Unmarshal(p, &e); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return len(p), nil
}

func (l *logLines) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = nil
}

// swift are the lines of a level in Swift's words, sorted.
func (l *logLines) swift(level string) (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Swift && e.Level == level {
			lines = append(lines, e.Message)
		}
	}
	slices.Sort(lines)
	return lines
}

// count is how many lines of any level contain a text.
func (l *logLines) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if strings.Contains(e.Message, text) {
			n++
		}
	}
	return n
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, e := range l.events {
		fmt.Fprintf(&b, "%s %s %s\n", e.Level, e.Message, e.Error)
	}
	return b.String()
}
