package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/lab"
	"understudy/internal/sim/sched"
	"understudy/internal/sim/simfs"
	"understudy/internal/sim/simnet"
	"understudy/internal/swift/metadata"
	"understudy/messages"
)

// world is one simulated cluster.
type world struct {
	seed     uint64
	plan     plan
	log      zerolog.Logger
	sched    *sched.Sched
	net      *simnet.Net
	drawn    *lab.World
	rings    string // folder of the ring files
	policies []messages.Policy
	nodes    []*node
	truth    *truth

	mu          sync.Mutex // guards counts, problems and shared sources of chance
	chaos       bool       // faults strike
	ringVersion int
	faults      map[string]int
	edges       map[string]int
	problems    []string
	audited     map[string]bool // partitions that the auditor has taken something from
	hashed      int             // partitions of which hashes.pkl was judged
	clients     clients
}

func (w *world) source(name string) *rand.Rand { return sched.Source(w.seed, name) }

func (w *world) fault(kind string) { w.count(w.faults, kind) }
func (w *world) edge(kind string)  { w.count(w.edges, kind) }

// count may be called by goroutines that one timer has woken, at once.
func (w *world) count(m map[string]int, kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m[kind]++
}

func (w *world) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sched.Note("PROBLEM " + text)
	if len(w.problems) < 20 {
		w.problems = append(w.problems, text)
	}
}

// step tells whether a call that changes nothing is a step of its own. It must not
// depend on anything that goroutines which run at once could change.
func (w *world) step(c simfs.Call) bool {
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.Op+c.Path)
	return (h.Sum64()^w.seed)%uint64(w.plan.grain) == 0
}

// epoch is when simulations begin; that of testing/synctest is too early for Swift.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newWorld draws a world, below a folder for what has to be real: rings, and the tree
// in which the world is planted before it goes to the simulated disks. It is called in
// a bubble.
func newWorld(seed uint64, dir string, trace io.Writer) (*world, error) {
	time.Sleep(time.Until(epoch))
	w := &world{seed: seed, log: zerolog.Nop(), faults: map[string]int{}, edges: map[string]int{}, audited: map[string]bool{}, rings: filepath.Join(dir, "rings")}
	w.plan = drawPlan(w.source("plan"))
	w.sched = sched.New(w.source("schedule"), trace)
	if trace != nil {
		w.log = zerolog.New(w.sched).With().Timestamp().Logger()
	}
	w.net = simnet.New(w.sched, seed, w.fault)
	w.net.Impostor = impostor
	w.drawn = lab.NewWorld(lab.WorldSpec{Seed: seed, Now: time.Now(), Small: w.plan.small, Nodes: w.plan.nodes, Ssync: true})
	for _, p := range w.drawn.Policies {
		if !p.Erasure {
			w.policies = append(w.policies, messages.Policy{Index: p.Index, Name: p.Name})
		}
	}
	planted := filepath.Join(dir, "planted")
	for _, d := range []string{w.rings, planted} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	if err := w.writeRings(); err != nil {
		return nil, err
	}
	if err := w.drawn.Plant(planted); err != nil {
		return nil, err
	}
	for _, n := range w.drawn.Nodes {
		w.addNode(n)
	}
	for _, n := range w.nodes {
		for _, d := range n.disks {
			if err := d.load(lab.Spot{Node: n.number, Device: d.name}.Path(planted)); err != nil {
				return nil, fmt.Errorf("load %s: %w", d, err)
			}
		}
	}
	w.truth = newTruth(w)
	w.clients = clients{rng: w.source("clients")}
	return w, nil
}

func (w *world) writeRings() error {
	w.ringVersion++
	return w.drawn.WriteRings(w.rings, func(node int) (string, int) { return address(node), port })
}

// load copies a folder to the disk.
func (d *disk) load(root string) error {
	return filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		mode := info.Sys().(*syscall.Stat_t).Mode
		if !info.Mode().IsRegular() {
			return d.fs.Plant(name, mode, nil, nil, info.ModTime())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		attrs, err := attributes(path)
		if err != nil {
			return err
		}
		return d.fs.Plant(name, mode, data, attrs, info.ModTime())
	})
}

// attributes are the extended attributes of a file that Swift has written.
func attributes(path string) (map[string][]byte, error) {
	list := make([]byte, 4096)
	n, err := unix.Listxattr(path, list)
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for name := range strings.SplitSeq(string(list[:n]), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, metadata.ChunkSize)
		k, err := unix.Getxattr(path, name, value)
		if err != nil {
			return nil, err
		}
		all[name] = slices.Clone(value[:k])
	}
	return all, nil
}
