package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"understudy/internal/cluster"
)

// measureStockHang is what B10 does to Swift, in one run each without and with a hang.
func measureStockHang(ctx context.Context, r rig) (entry, error) {
	return stockHang(ctx, r, "Swift", nil)
}

// measureWorkersHang is the same with a process for each disk.
func measureWorkersHang(ctx context.Context, r rig) (entry, error) {
	workers := "60"
	if r.Smoke {
		workers = "6"
	}
	return stockHang(ctx, r, "Swift, `replicator_workers = "+workers+"`", map[string]string{"replicator_workers": workers, "concurrency": "1"})
}

func stockHang(ctx context.Context, r rig, name string, options map[string]string) (_ entry, err error) {
	w, err := newWard(r)
	if err != nil {
		return entry{}, err
	}
	defer func() { err = errors.Join(err, w.n.Close()) }()
	limit := 2 * time.Minute
	if r.Smoke {
		limit = 3 * time.Second
	}
	row := []string{name, "1"}
	for _, ill := range []bool{false, true} {
		text, err := w.stock(ctx, r, options, ill, limit)
		if err != nil {
			return entry{}, err
		}
		row = append(row, text)
	}
	return entry{Table: "hang", Rows: [][]string{append(row, "–", "–")}}, nil
}

// stock runs Swift's daemon until the peers have been asked about everything on the
// other disks, or have not been asked anything for as long as limit. It tells how long
// that took, or how far it came.
func (w *ward) stock(ctx context.Context, r rig, options map[string]string, ill bool, limit time.Duration) (_ string, err error) {
	run, end, err := w.start(cluster.Stock.Path, options, ill)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return "", err
	}
	last, since := int64(0), time.Now()
	err = run.Await(ctx, "the end of Swift's pass", func() (bool, error) {
		if n := w.healthy.Load(); n != last {
			last, since = n, time.Now()
		}
		return last >= w.all() || time.Since(since) >= limit, nil
	})
	if err != nil {
		return "", err
	}
	took := since.Sub(run.Begun)
	r.say("B10: stock, hang %v: %d of %d requests after %.1f s", ill, last, w.all(), took.Seconds())
	switch {
	case last >= w.all():
		return fmt.Sprintf("%.2f s", took.Seconds()), nil
	case !ill:
		return "", fmt.Errorf("no hang, and yet only %d of %d requests in %s", last, w.all(), time.Since(run.Begun))
	}
	return fmt.Sprintf("did not finish in %.0f s: %.0f %% of the other disks' partitions in the first %.0f s, then nothing",
		time.Since(run.Begun).Seconds(), 100*float64(last)/float64(w.all()), took.Seconds()), nil
}
