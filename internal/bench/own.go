package bench

import (
	"context"
	"fmt"
	"strconv"

	"understudy/internal/cluster"
)

// ownGoal is how many times Swift's partitions a second ours does.
const ownGoal = 20

// measureOwn is B2: B1's pass, with our own servers on the peers of ours.
func measureOwn(ctx context.Context, r rig) (entry, error) {
	b := passOf("B1", r.Smoke)
	b.name = "B2"
	sides := []side{
		stockSide("Swift", nil),
		r.ourSide("ours", r.serving, nil),
		r.ourSide("ours, `native_lane = no`", r.serving, map[string]string{"native_lane": "no"}),
	}
	found, err := b.measure(ctx, r, sides)
	if err != nil {
		return entry{}, err
	}
	e := entry{Table: "own", Profile: found.profile, Below: []string{b.ended("all three", found)}}
	e.keep(found.samples)
	for _, s := range sides {
		p := pairs{theirs: found.samples["Swift"], ours: found.samples[s.name]}
		times, verdict := "–", "–"
		if s.program != cluster.Stock {
			times = spread(p.speeds(), "%.1f")
		}
		if s.name == "ours" {
			g := goal{What: "partitions a second, times Swift's", Limit: ownGoal, AtLeast: true, Got: median(p.speeds())}
			e.Goals, verdict = append(e.Goals, g), g.verdict()
		}
		e.Rows = append(e.Rows, []string{
			s.name, servers(s.peers), strconv.Itoa(len(p.ours)),
			fmt.Sprintf("%.0f", float64(found.digest.Partitions)/median(inSeconds(p.ours, wall))), times, verdict,
			seconds(p.ours, wall), cpuSeconds(p.ours),
		})
	}
	return e, nil
}

// servers says whose servers the peers run.
func servers(s cluster.Server) string {
	if s == cluster.StockServer {
		return "Swift's"
	}
	return "ours"
}
