package lab

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"understudy/internal/swift/hashpath"
)

// World is a cluster as it was drawn from a seed: its rings, what was done to its
// objects and which device heard of it, and the debris of years. It is not bound
// to a place: Plant writes it below any folder.
type World struct {
	Seed     uint64
	Now      time.Time         // what ages are counted from
	Nodes    []WorldNode       // numbered from 1
	Policies []*WorldPolicy    // in swift.conf order
	Options  map[string]string // of [object-replicator]
	Objects  []*WorldObject
	Debris   []Debris
	Caches   []Cache
	Harms    []Harm // to copies, when it is planted
	// Dial connects to servers that are to be asked; nil: as everybody does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	serial int // of the next object, in a world that is told
}

// WorldSpec says what to draw. The same one always draws the same world: each
// choice has a source of randomness of its own, named after it, so that a new
// choice does not change the others.
type WorldSpec struct {
	Seed  uint64
	Now   time.Time // of the drawing; files are this much older or younger
	Small bool      // fewer nodes and objects: a run takes seconds
	Nodes int       // so many; 0: drawn
	Ssync bool      // for ssync: see litterObject
	Torn  bool      // with objects whose newest files a power cut has emptied on primaries
}

// ReclaimAge is the reclaim_age that worlds are drawn for.
const ReclaimAge = 24 * time.Hour

// WorldNode is a storage node. All of its devices have a directory, whether a
// ring knows them or not.
type WorldNode struct {
	Number  int
	Region  int
	Zone    int
	Devices []string
}

// Spot is one device of one node.
type Spot struct {
	Node   int
	Device string
}

func (s Spot) String() string { return fmt.Sprintf("node %d %s", s.Node, s.Device) }

// NewWorld draws a world.
func NewWorld(spec WorldSpec) *World {
	w := &World{Seed: spec.Seed, Now: spec.Now}
	d := dice{spec.Seed}
	w.drawNodes(d, spec)
	w.drawPolicies(d)
	w.drawObjects(d, spec)
	w.drawDebris(d, spec.Ssync)
	w.drawCaches(d)
	w.drawOptions(d)
	return w
}

// drawOptions draws settings that change the course of a pass, not its end.
func (w *World) drawOptions(d dice) {
	rng := d.of("options")
	w.Options = map[string]string{"concurrency": strconv.Itoa(1 + rng.IntN(8))}
	if rng.IntN(10) == 0 {
		w.Options["handoff_delete"] = "2"
	}
	if rng.IntN(10) == 0 {
		w.Options["rsync_compress"] = "yes"
	}
}

// The secrets of a world's swift.conf.
const (
	worldPrefix = "seeded"
	worldSuffix = "world"
)

var worldHasher = hashpath.Hasher{Prefix: []byte(worldPrefix), Suffix: []byte(worldSuffix)}

// Paths hash the names of the world's objects.
func (w *World) Paths() hashpath.Hasher { return worldHasher }

// Spots are all devices, in order.
func (w *World) Spots() (all []Spot) {
	for _, n := range w.Nodes {
		for _, d := range n.Devices {
			all = append(all, Spot{n.Number, d})
		}
	}
	return all
}

// DevicesRoot is the parent of a node's devices, when the world is planted in a
// folder.
func DevicesRoot(root string, node int) string {
	return filepath.Join(root, "srv", strconv.Itoa(node))
}

// Path is the device's directory, when the world is planted in a folder.
func (s Spot) Path(root string) string { return filepath.Join(DevicesRoot(root, s.Node), s.Device) }

// dice makes independent sources of randomness from one seed and their names.
type dice struct{ seed uint64 }

func (d dice) of(name string, args ...any) *rand.Rand {
	text := binary.BigEndian.AppendUint64(nil, d.seed)
	text = fmt.Appendf(text, name, args...)
	return rand.New(rand.NewChaCha8(sha256.Sum256(text)))
}

// chance is true once in n times.
func chance(rng *rand.Rand, n int) bool { return rng.IntN(n) == 0 }
