package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	objects = 12 // that are laid for a strike
	perRig  = 12 // strikes on one pair of nodes
)

// totals are what a campaign has come to.
type totals struct {
	strikes, objects, sectors int
	ended, past               int            // the program, its point
	failed                    int            // the disk at work
	takers                    int            // rsyncs that received
	points                    map[string]int // strikes that met, by point
	cuts                      map[int]int
	wrong                     []string
}

// errWrong ends the strikes on a pair of nodes that has not come back as it must: what
// follows would be about the same.
var errWrong = errors.New("something is wrong after a strike")

// campaign strikes so many times, and writes a line for each strike.
func campaign(ctx context.Context, out io.Writer, dir string, p programs, at aim, from uint64, strikes int) (t totals, err error) {
	t.points, t.cuts = map[string]int{}, map[int]int{}
	for seed := from; t.strikes < strikes; seed++ {
		err := t.onRig(ctx, out, dir, p, at, seed, min(perRig, strikes-t.strikes))
		if err != nil && !errors.Is(err, errWrong) {
			return t, fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return t, nil
}

func (t *totals) onRig(ctx context.Context, out io.Writer, dir string, p programs, at aim, seed uint64, strikes int) (err error) {
	r, err := newRig(ctx, dir, p, at, seed)
	if err != nil {
		return err
	}
	defer func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, r.close(within))
	}()
	points, writes, err := r.enumerate(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d: %s, %d replicas, %d points\n", seed, r.method, r.replicas, len(points))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range strikes {
		within, cancel := context.WithTimeout(ctx, perCase)
		err := t.strike(within, out, r, r.draw(points, writes, rnd), seed)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// enumerate runs each scenario once and finds the points that it comes by, and how many
// writes reach the disk.
func (r *rig) enumerate(ctx context.Context) (all []point, writes map[scenario]int, err error) {
	plan, known := everywhere()
	writes = map[scenario]int{}
	for _, in := range []scenario{receives, passes} {
		if err := r.lay(ctx, objects); err != nil {
			return nil, nil, err
		}
		// A server that follows the plan goes on telling, and would have the last word.
		if err := r.first().RestartServer(ctx); err != nil {
			return nil, nil, err
		}
		before := r.disk.Writes()
		if _, err := r.act(ctx, in, plan); err != nil {
			return nil, nil, err
		}
		writes[in] = r.disk.Writes() - before
		time.Sleep(2 * seenEvery) // a server goes on telling
		text, err := os.ReadFile(r.seenPath())
		if err != nil {
			return nil, nil, fmt.Errorf("enumerate points: %w", err)
		}
		seen := map[string]int{}
		if err := json.Unmarshal(text, &seen); err != nil {
			return nil, nil, fmt.Errorf("enumerate points: %w", err)
		}
		for _, line := range slices.Sorted(maps.Keys(seen)) {
			if p, ok := known[line]; ok && seen[line] > 0 {
				p.in, p.seen = in, seen[line]
				all = append(all, p)
			}
		}
	}
	if len(all) < 20 {
		return nil, nil, fmt.Errorf("enumerate points: only %d were found", len(all))
	}
	return all, writes, r.first().RestartServer(ctx)
}

// seenEvery is how often a program tells its points.
const seenEvery = 50 * time.Millisecond

func (t *totals) strike(ctx context.Context, out io.Writer, r *rig, s strike, seed uint64) error {
	if err := r.lay(ctx, objects); err != nil {
		return err
	}
	plan, before := "", r.disk.Lost()
	struck := func() error { return nil }
	switch s.verb {
	case powerFails:
		r.disk.CutAt(s.nth, s.seed, s.power)
	case takerDies:
		struck = r.killTakers(ctx, s.after)
	default:
		plan = s.line(s.verb, s.nth) + "\n"
	}
	ended, err := r.act(ctx, s.in, plan)
	if err := errors.Join(err, struck()); err != nil {
		return err
	}
	if err := r.recover(ctx, s); err != nil {
		return err
	}
	lost := r.disk.Lost() - before
	wrong, passed, err := r.verdict(ctx)
	if err != nil {
		return err
	}
	t.strikes++
	t.objects += objects
	t.sectors += lost
	t.cuts[s.power]++
	if ended {
		t.ended++
	}
	switch {
	case s.verb == powerFails:
		t.failed++
	case s.verb == takerDies:
		t.takers++
	case ended || s.verb == "panic":
		t.points[s.point.String()]++
	default:
		t.past++
	}
	word := map[bool]string{true: "ended", false: "went on"}[ended]
	fmt.Fprintf(out, "  %s: %s, %d sectors lost, settled after %d passes", s, word, lost, passed)
	if len(wrong) == 0 {
		fmt.Fprintln(out)
		return nil
	}
	fmt.Fprintf(out, ": WRONG\n    %s\n", strings.Join(wrong, "\n    "))
	t.wrong = append(t.wrong, fmt.Sprintf("seed %d: %s", seed, s))
	return errWrong
}

func (t *totals) String() string {
	return fmt.Sprintf("%d strikes: the program ended in %d, ran past its point in %d, %d at the disk at work, %d at rsyncs that received; %d points; without a cut %d, with cuts that keep 0/50/100 %% %d/%d/%d, "+
		"%d sectors lost in all; %d objects laid; %d strikes with something wrong",
		t.strikes, t.ended, t.past, t.failed, t.takers, len(t.points), t.cuts[-1], t.cuts[0], t.cuts[50], t.cuts[100], t.sectors, t.objects, len(t.wrong))
}
