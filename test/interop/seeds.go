package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"understudy/internal/cluster"
	"understudy/internal/lab"
)

// Seed is one random world and how replicators are let loose on it. The same one
// can be run again by its Command, but what the processes do meanwhile cannot.
type Seed struct {
	Number  uint64
	Method  string // of sync: "rsync" or "ssync"
	Small   bool   // fewer nodes and objects
	Torn    bool   // with files that a power cut has emptied; only losses count
	Kill    bool   // replicators are killed in the middle of the first rounds
	Restart bool   // servers are restarted between rounds
	Own     bool   // our own servers and engines, in this process; rsync only
	Servers string // whose object servers: "ours", "mixed" (ours on every other node), or Swift's
}

// Command runs the seed again.
func (s Seed) Command() string {
	text := fmt.Sprintf("go run ./test/soak -seeds 1 -from %d -method %s", s.Number, s.Method)
	for _, flag := range []struct {
		name string
		set  bool
	}{{"-small", s.Small}, {"-torn", s.Torn}, {"-kill", s.Kill}, {"-restart", s.Restart}, {"-own", s.Own}} {
		if flag.set {
			text += " " + flag.name
		}
	}
	if s.Servers != "" {
		text += " -servers " + s.Servers
	}
	return text
}

// Judged is what became of a seed.
type Judged struct {
	Rounds   int // until one in which nothing was pushed or removed, that one included
	Quiet    bool
	Objects  int
	Passes   int
	Kills    int
	Findings []lab.Finding
	Troubles []string // of the processes: exit status, orphans, locks
	Elapsed  time.Duration
	Root     string // of what was kept for someone to look at; or empty
}

// OK tells whether everything is as it must be.
func (j *Judged) OK() bool { return j.Quiet && len(j.Findings)+len(j.Troubles) == 0 }

// Count is how many findings are of a kind.
func (j *Judged) Count(k lab.Kind) (n int) {
	for _, f := range j.Findings {
		if f.Kind == k {
			n++
		}
	}
	return n
}

// maxRounds is how long a world may take to settle. Torn ones never do: what
// nobody can mend is tried again in every pass.
const (
	maxRounds  = 8
	tornRounds = 3
	killRounds = 3 // with kills
)

func (s Seed) rounds() int {
	if s.Torn {
		return tornRounds
	}
	return maxRounds
}

// World is what the seed stands for, at a time.
func (s Seed) World(now time.Time) *lab.World {
	return lab.NewWorld(lab.WorldSpec{
		Seed: s.Number, Now: now, Small: s.Small, Ssync: s.Method == "ssync", Torn: s.Torn,
	})
}

// Bed is where seeds grow: stock servers, started by one forker. Safe for
// concurrent use.
type Bed struct {
	Forker *cluster.Forker
	Server cluster.Server // our own object server
	Base   string         // folder for the clusters; "" is os.TempDir
	Keep   bool           // keeps the folders of what has failed
}

// Run plants the seed's world among stock servers, runs a replicator on every
// node, round after round, and judges. The error says that it could not be done.
func (b *Bed) Run(ctx context.Context, s Seed, now time.Time, p cluster.Program) (*Judged, error) {
	if s.Own {
		return runOwn(ctx, b.Base, s, now)
	}
	begun := time.Now()
	j := &Judged{}
	w := s.World(now)
	options := w.Options
	options["sync_method"] = s.Method
	c, err := cluster.Adopt(b.Base, len(w.Nodes), options)
	if err != nil {
		return nil, err
	}
	r := &run{seed: s, world: w, cluster: c, program: p, bed: b, judged: j}
	err = r.all(ctx)
	j.Elapsed, j.Objects = time.Since(begun), len(w.Objects)
	if b.Keep && !j.OK() {
		c.CloseAndKeep()
		j.Root = c.Root
		return j, err
	}
	return j, errors.Join(err, c.Close())
}

// run is a seed on its way.
type run struct {
	seed    Seed
	world   *lab.World
	cluster *cluster.Cluster
	program cluster.Program
	bed     *Bed
	service *cluster.Service
	judged  *Judged
}

func (r *run) all(ctx context.Context) error {
	if err := r.plant(); err != nil {
		return err
	}
	var err error
	for _, n := range r.cluster.Nodes {
		if r.seed.Servers == "ours" || r.seed.Servers == "mixed" && n.Number%2 == 1 {
			n.ServeOn(r.bed.Server)
		}
	}
	if r.service, err = r.cluster.Serve(ctx, r.bed.Forker); err != nil {
		return err
	}
	defer r.service.Stop(syscall.SIGKILL)
	rng := rand.New(rand.NewPCG(r.seed.Number, 1))
	for round := 1; round <= r.seed.rounds() && !r.judged.Quiet; round++ {
		r.judged.Rounds = round
		kill := r.seed.Kill && round <= killRounds
		if r.judged.Quiet, err = r.round(ctx, rng, kill); err != nil {
			return err
		}
		if r.seed.Restart {
			if err := r.service.Restart(ctx); err != nil {
				return err
			}
		}
	}
	r.judged.Quiet = r.judged.Quiet || r.seed.Torn
	return r.judge(ctx)
}

func (r *run) plant() error {
	c, w := r.cluster, r.world
	if err := os.WriteFile(c.SwiftConf(), []byte(w.SwiftConf()), 0o644); err != nil {
		return fmt.Errorf("write swift.conf: %w", err)
	}
	if err := w.WriteRings(c.Etc(), c.Address); err != nil {
		return err
	}
	if err := w.Plant(c.Root); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if err := n.GiveToSwift(); err != nil {
			return err
		}
	}
	return nil
}

// round runs a pass on every node, one after the other, in an order of its own.
// It is quiet when nothing was pushed or removed.
func (r *run) round(ctx context.Context, rng *rand.Rand, kill bool) (quiet bool, err error) {
	nodes := slices.Clone(r.cluster.Nodes)
	rng.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	busy := 0
	for _, n := range nodes {
		after := time.Duration(-1)
		if kill && rng.IntN(4) > 0 {
			after = time.Duration(rng.ExpFloat64() * float64(150*time.Millisecond))
		}
		killed, err := r.pass(ctx, n, after)
		if err != nil {
			return false, err
		}
		if killed {
			busy++
			continue
		}
		recon, err := n.ReconFile()
		if err != nil {
			return false, err
		}
		if recon.Stats == nil {
			r.trouble("node %d: the pass is not in the recon cache", n.Number)
			continue
		}
		busy += recon.Stats.Rsync + recon.Stats.Remove
	}
	return busy == 0, nil
}

func (r *run) trouble(text string, args ...any) {
	r.judged.Troubles = append(r.judged.Troubles, fmt.Sprintf(text, args...))
}

// passTimeout is for a machine with much else to do.
const passTimeout = 3 * time.Minute

// pass runs one pass on one node; when after is not negative it is killed then.
func (r *run) pass(ctx context.Context, n *cluster.Node, after time.Duration) (killed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	p, err := n.StartOnce(r.bed.Forker, r.program)
	if err != nil {
		return false, err
	}
	r.judged.Passes++
	if after >= 0 {
		if killed = r.kill(p, after); killed {
			r.judged.Kills++
			return true, r.aftermath(ctx, n)
		}
	}
	if err := p.Wait(ctx); err != nil {
		return false, fmt.Errorf("run %s on node %d: %w", r.program.Name, n.Number, err)
	}
	if out := n.OnceOutput(); p.Status != 0 || out != "" {
		r.trouble("%s on node %d: exit status %d, output %q", r.program.Name, n.Number, p.Status, out)
	}
	return false, nil
}

// judge looks at the disks first: the questions to the servers make them tidy up.
func (r *run) judge(ctx context.Context) error {
	root := r.cluster.Root
	found, err := r.world.Judge(root)
	if err != nil {
		return err
	}
	if r.seed.Torn { // their names are equal everywhere, but nothing has settled
		r.judged.Findings = found
		return nil
	}
	hashes, err := r.world.JudgeHashes(ctx, root, r.cluster.Address)
	if err != nil {
		return err
	}
	copies, err := r.service.ScanServed(ctx)
	if err != nil {
		return err
	}
	found = append(found, hashes...)
	for _, copy := range copies {
		if !r.counts(copy) {
			continue
		}
		for _, why := range copy.CheckHashes() {
			found = append(found, lab.Finding{Seed: r.seed.Number, Kind: lab.Mismatch, Path: copy.String(), What: why})
		}
	}
	if r.judged.Kills > 0 {
		// A push of an old version to who has a newer one, cut off before the peer is
		// told: its hash stays as it was, so nobody has a reason to come again.
		found = slices.DeleteFunc(found, func(f lab.Finding) bool { return f.Kind == lab.Stale })
	}
	lab.SortFindings(found)
	r.judged.Findings = found
	return nil
}

// counts tells whether a partition is one that replicators care for.
func (r *run) counts(c cluster.Copy) bool {
	for _, p := range r.world.Policies {
		if p.Index == c.Policy {
			node := r.cluster.Node(c.IP)
			return uint32(c.Partition) < p.Partitions() && slices.Contains(p.Primaries(uint32(c.Partition)), lab.Spot{Node: node.Number, Device: c.Device})
		}
	}
	return false
}

// Summary says it all in one line.
func (j *Judged) Summary() string {
	words := []string{fmt.Sprintf("%d objects, %d rounds, %d passes", j.Objects, j.Rounds, j.Passes)}
	if j.Kills > 0 {
		words = append(words, fmt.Sprintf("%d killed", j.Kills))
	}
	if !j.Quiet {
		words = append(words, "not quiet")
	}
	for _, k := range lab.Findings {
		if n := j.Count(k); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, k))
		}
	}
	if len(j.Troubles) > 0 {
		words = append(words, fmt.Sprintf("%d troubles", len(j.Troubles)))
	}
	return strings.Join(words, ", ")
}
