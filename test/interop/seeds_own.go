package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"understudy/internal/lab"
)

// runOwn runs a seed without Swift: our object servers and engines, all in this
// process and all nodes at the same time, and a real rsync daemon. It is for volume.
func runOwn(ctx context.Context, base string, s Seed, now time.Time) (j *Judged, err error) {
	if s.Method != "rsync" || s.Kill || s.Restart {
		return nil, errors.New("run seed on our own servers: they take rsync only, and neither kills nor restarts")
	}
	begun := time.Now()
	dir, err := os.MkdirTemp(base, "understudy-seed-")
	if err != nil {
		return nil, fmt.Errorf("run seed on our own servers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := s.World(now)
	c, err := lab.NewOf(ctx, dir, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	j = &Judged{Objects: len(w.Objects)}
	for j.Rounds < s.rounds() && !j.Quiet {
		r, err := c.Round(ctx)
		if err != nil {
			return nil, err
		}
		j.Rounds++
		j.Passes += len(w.Nodes)
		j.Quiet = r.Stats.Rsync+r.Stats.Remove == 0
	}
	j.Quiet = j.Quiet || s.Torn
	if j.Findings, err = w.Judge(dir); err != nil {
		return nil, err
	}
	if !s.Torn {
		hashes, err := w.JudgeHashes(ctx, dir, c.Address)
		if err != nil {
			return nil, err
		}
		j.Findings = append(j.Findings, hashes...)
		lab.SortFindings(j.Findings)
	}
	j.Elapsed = time.Since(begun)
	return j, nil
}
