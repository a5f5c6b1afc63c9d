package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"understudy/internal/cluster"
)

// push is a benchmark in which bytes move: from the first of four nodes with one
// device each to the others, all with object servers and rsync daemons. Before every
// run the same tree is put in place.
type push struct {
	name, what string
	partPower  int
	objects    int // in each partition
	size       int // bytes of each
	drain      bool
	ownPeers   bool // our servers are on ours' peers
	contests   []contest
}

// contest compares ours with one other program.
type contest struct {
	against string  // name of a side
	goal    float64 // wall, ours ÷ the other's; 0: no goal
}

// The sides of pushes. The method of each is in its options; cp -a has neither.
const (
	ownSsync   = "ours, ssync"
	swiftSsync = "Swift, ssync"
	swiftRsync = "Swift, rsync"
	copying    = "cp -a"
)

func pushOf(name string, smoke bool) push {
	small := []contest{{swiftSsync, 0.5}, {swiftRsync, 0.15}}
	b := map[string]push{
		"B4": {
			what:      "fill an empty disk, 4 KiB objects: 128 partitions with 8 each",
			partPower: 8, objects: 8, size: 4096, contests: small,
		},
		"B5": {
			what:      "the same, our servers on ours' peers, Swift's on Swift's",
			partPower: 8, objects: 8, size: 4096, ownPeers: true, contests: []contest{{swiftSsync, 0.15}},
		},
		"B6": {
			what:      "fill an empty disk, objects of 64 MiB: 8 partitions with 1 each",
			partPower: 4, objects: 1, size: 64 << 20, contests: []contest{{swiftSsync, 0.5}, {swiftRsync, 0}, {copying, 1.5}},
		},
		"B7": {
			what:      "drain handoffs, 4 KiB objects: 64 partitions with 8 each to three primaries",
			partPower: 8, objects: 8, size: 4096, drain: true, contests: small,
		},
	}[name]
	b.name = name
	if smoke {
		b.what, b.partPower = "smoke test of "+name, 4
		b.objects, b.size = 1, min(b.size, 1<<20)
	}
	return b
}

// sides are ours, and those that the contests name.
func (b push) sides(r rig) []side {
	peers := cluster.StockServer
	if b.ownPeers {
		peers = r.serving
	}
	all := []side{r.ourSide(ownSsync, peers, method("ssync"))}
	for _, c := range b.contests {
		switch c.against {
		case swiftSsync:
			all = append(all, stockSide(c.against, method("ssync")))
		case swiftRsync:
			all = append(all, stockSide(c.against, method("rsync")))
		default:
			all = append(all, side{name: c.against, peers: cluster.StockServer})
		}
	}
	return all
}

func method(name string) map[string]string { return map[string]string{"sync_method": name} }

func (b push) entry(ctx context.Context, r rig) (entry, error) {
	m, err := b.measure(ctx, r)
	if err != nil {
		return entry{}, err
	}
	own := m.samples[ownSsync]
	e := entry{Table: "bytes", Profile: m.profile}
	e.keep(m.samples)
	for _, c := range b.contests {
		p := pairs{theirs: m.samples[c.against], ours: own}
		e.Rows = append(e.Rows, []string{
			b.what, c.against, seconds(p.theirs, wall), seconds(own, wall), p.ratio(wall), p.atMost(c.goal, wall),
			seconds(p.theirs, sample.cpu), seconds(own, sample.cpu), p.ratio(sample.cpu),
		})
		if c.goal > 0 {
			e.Goals = append(e.Goals, p.goal("wall, against "+c.against, c.goal, wall))
		}
	}
	best := slices.MinFunc(own, func(a, b sample) int { return int(a.wall - b.wall) }).wall.Seconds()
	size := float64(m.bytes) / (1 << 20)
	e.Below = []string{fmt.Sprintf("%s moves %d files, %.1f MiB; ours at best %.0f files and %.1f MiB a second.",
		b.name, m.files, size, float64(m.files)/best, size/best)}
	return e, nil
}

// moved is what the runs of a push have brought.
type moved struct {
	samples map[string][]sample // by side
	files   int                 // that every run has brought to the other nodes
	bytes   int64               // of them
	profile *profile
}

func (b push) measure(ctx context.Context, r rig) (m moved, err error) {
	c, err := cluster.New(ctx, cluster.Spec{
		Base: r.Base, Nodes: 4, Devices: 1,
		Policies:   []cluster.Policy{{Index: 0, Name: "gold", PartPower: b.partPower}},
		Replicator: map[string]string{"log_level": "INFO"},
	})
	if err != nil {
		return moved{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Fill(ctx, b.objects, b.size, time.Now().Add(-48*time.Hour)); err != nil {
		return moved{}, err
	}
	g := pushRig{push: b, c: c, from: c.Nodes[0], want: map[int]map[string]string{}}
	if err := g.keep(ctx); err != nil {
		return moved{}, err
	}
	if err := c.Start(ctx); err != nil {
		return moved{}, err
	}
	sides := b.sides(r)
	m.samples, err = r.inTurn(b.name, min(r.Runs, 5), sides, func(s side) (sample, error) { return g.once(ctx, s, nil) })
	if err != nil {
		return moved{}, err
	}
	m.files, m.bytes = g.files, g.bytes
	m.profile, err = r.profiled(ctx, func(under []string) error {
		_, err := g.once(ctx, sides[0], under)
		return err
	})
	return m, err
}
