package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/cluster"
)

const (
	callsGoal  = 0.5 // calls a partition, ours ÷ Swift's
	callsKept  = 8   // names on the page
	callsTimes = 3   // runs at most: strace makes them slow, and counts vary little
)

// counted are the runs of one program: passes over B1's tree, and starts and stops.
type counted struct{ passes, starts []calls }

// measureCalls is B12: what strace counts in B1's pass.
func measureCalls(ctx context.Context, r rig) (_ entry, err error) {
	b := passOf("B1", r.Smoke)
	b.name = "B12"
	c, err := b.build(ctx, r)
	if err != nil {
		return entry{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	start := passOf("start", r.Smoke)
	// A program that is watched is slow to connect: that must not fail.
	patient := map[string]string{"conn_timeout": "60", "http_timeout": "600"}
	sides := []side{stockSide("Swift", patient), r.ourSide("ours", cluster.StockServer, patient)}
	found := map[string]*counted{"Swift": {}, "ours": {}}
	var state result
	_, err = r.inTurn(b.name, min(r.Runs, callsTimes), sides, func(s side) (sample, error) {
		in := found[s.name]
		took, err := r.count(ctx, b, c.Nodes[0], s, &state, &in.passes)
		if err == nil {
			_, err = r.count(ctx, start, c.Nodes[0], s, &state, &in.starts)
		}
		return took, err
	})
	if err != nil {
		return entry{}, err
	}
	for _, in := range found { // the first round only warms up
		in.passes, in.starts = in.passes[1:], in.starts[1:]
	}
	return callsEntry(found["Swift"], found["ours"], state.digest.Partitions), nil
}

// count runs one side under strace.
func (r rig) count(ctx context.Context, b pass, n *cluster.Node, s side, state *result, into *[]calls) (sample, error) {
	path := filepath.Join(r.folder, "calls")
	took, err := b.once(ctx, n, s, []string{"strace", "-c", "-f", "-o", path}, state)
	if err != nil {
		return sample{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return sample{}, fmt.Errorf("count system calls: %w", err)
	}
	counts, err := parseCalls(string(text))
	if err != nil {
		return sample{}, err
	}
	*into = append(*into, counts)
	return took, nil
}

// each are the median numbers of one call in the passes and in starts and stops.
func (c counted) each(name string) (pass, start float64) {
	of := func(all []calls) float64 {
		var n []float64
		for _, one := range all {
			n = append(n, float64(one[name]))
		}
		return median(n)
	}
	return of(c.passes), of(c.starts)
}

// totals are the numbers of all calls of each pass less those of a start and stop.
func (c counted) totals() (net []float64) {
	for i := range c.passes {
		net = append(net, float64(c.passes[i].total()-c.starts[i].total()))
	}
	return net
}

// work is the same without calls that wait.
func (c counted) work() counted {
	var w counted
	for i := range c.passes {
		w.passes, w.starts = append(w.passes, c.passes[i].work()), append(w.starts, c.starts[i].work())
	}
	return w
}

// callRatios are ours ÷ theirs.
func callRatios(theirs, ours counted) (ratios []float64) {
	for i, net := range ours.totals() {
		ratios = append(ratios, net/theirs.totals()[i])
	}
	return ratios
}

// most names the most frequent calls, with their numbers a partition.
func (c counted) most(partitions int) string {
	names := map[string]float64{}
	for _, run := range c.passes {
		for name := range run {
			pass, start := c.each(name)
			names[name] = (pass - start) / float64(partitions)
		}
	}
	sorted := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(names[b], names[a]), strings.Compare(a, b))
	})
	var texts []string
	for _, name := range sorted[:min(callsKept, len(sorted))] {
		texts = append(texts, fmt.Sprintf("%s %.1f", name, names[name]))
	}
	return strings.Join(texts, ", ")
}

func callsEntry(theirs, ours *counted, partitions int) entry {
	e := entry{Table: "calls", Samples: map[string][]float64{}}
	for _, c := range []struct {
		name string
		*counted
	}{{"Swift", theirs}, {"ours", ours}} {
		var pass, start []float64
		for i := range c.passes {
			pass, start = append(pass, float64(c.passes[i].total())), append(start, float64(c.starts[i].total()))
		}
		net := c.totals()
		e.Samples[c.name+", calls of the pass"], e.Samples[c.name+", calls of start and stop"] = pass, start
		for i := range net {
			net[i] /= float64(partitions)
		}
		e.Rows = append(e.Rows, []string{
			c.name, strconv.Itoa(len(c.passes)), fmt.Sprintf("%.0f", median(pass)), fmt.Sprintf("%.0f", median(start)),
			spread(net, "%.1f"), c.most(partitions),
		})
	}
	ratios := callRatios(*theirs, *ours)
	g := goal{What: "system calls a partition", Limit: callsGoal, Got: median(ratios)}
	e.Goals = []goal{g}
	e.Below = []string{
		fmt.Sprintf("%d partitions; ours ÷ Swift's: %s; goal %s.", partitions, spread(ratios, "%.2f"), g.verdict()),
		fmt.Sprintf("Without the calls that wait for other threads or the clock (%s), of which being slow makes more: %s.",
			strings.Join(waits, ", "), spread(callRatios(theirs.work(), ours.work()), "%.2f")),
	}
	return e
}
