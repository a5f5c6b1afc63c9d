package bench

import (
	"fmt"
	"slices"

	"understudy/internal/cluster"
)

// side is one of those that a benchmark compares: a replicator, what serves its peers,
// and how it is configured.
type side struct {
	name    string // in rows and samples; ours begins with "ours"
	program cluster.Program
	peers   cluster.Server
	options map[string]string // of [object-replicator]
}

// What serves the peers is a choice of each side: Swift's are beside Swift's, and
// beside ours where a benchmark does not say otherwise.
func stockSide(name string, options map[string]string) side {
	return side{name, cluster.Stock, cluster.StockServer, options}
}

func (r rig) ourSide(name string, peers cluster.Server, options map[string]string) side {
	return side{name, r.ours, peers, options}
}

// inTurn runs all sides in turn, ABBA…, and returns as many samples of each; those of
// one index are neighbours. The first round only warms up.
func (r rig) inTurn(what string, runs int, sides []side, once func(side) (sample, error)) (map[string][]sample, error) {
	samples := map[string][]sample{}
	order := slices.Clone(sides)
	for i := range runs + 1 {
		slices.Reverse(order) // so that none gains from a load that only grows
		for _, s := range order {
			took, err := once(s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			r.say("%s: run %d of %d, %s: wall %.2f s, CPU %.2f s", what, i, runs, s.name, took.wall.Seconds(), took.cpu().Seconds())
			if i > 0 {
				samples[s.name] = append(samples[s.name], took)
			}
		}
	}
	return samples, nil
}

// The ends of the names under which samples are kept; before them is the side's.
const (
	wallKey = ", wall"
	timeKey = ", CPU"
)

// keep puts the samples of all sides into an entry.
func (e *entry) keep(samples map[string][]sample) {
	if e.Samples == nil {
		e.Samples = map[string][]float64{}
	}
	for side, all := range samples {
		e.Samples[side+wallKey], e.Samples[side+timeKey] = inSeconds(all, wall), inSeconds(all, sample.cpu)
	}
}
