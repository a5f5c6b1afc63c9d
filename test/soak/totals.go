package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"understudy/internal/cluster"
	"understudy/internal/lab"
	"understudy/internal/progress"
	"understudy/test/interop"
)

// totals add up what became of all seeds.
type totals struct {
	mu       sync.Mutex
	programs map[string]*sum
	failed   []string // commands that run the failed seeds again
	slower   []string // seeds for which we took more rounds than Swift's
}

// sum is of one program.
type sum struct {
	seeds, objects, passes, kills int
	restless, troubles, errors    int
	kinds                         map[lab.Kind]int
	rounds                        map[int]int
	losing                        []string // seeds with losses
	elapsed                       time.Duration
}

// all runs the seeds, several at a time.
func (o *options) all(ctx context.Context, methods []string, ours cluster.Program) *totals {
	t := &totals{programs: map[string]*sum{}}
	defer t.report(o.seeds * len(methods))()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.parallel)
	for i := range o.seeds {
		for _, method := range methods {
			s := o.template
			s.Number, s.Method = o.from+uint64(i), method
			group.Go(func() error {
				if ctx.Err() == nil {
					o.one(ctx, s, ours, t)
				}
				return nil
			})
		}
	}
	_ = group.Wait() // none returns an error
	return t
}

// report tells on standard error how far it has come, until it is stopped.
func (t *totals) report(all int) (stop func()) {
	ticker, done := time.NewTicker(time.Second), make(chan struct{})
	line := progress.New(progress.Options{Out: os.Stderr, Unit: "seeds"})
	go func() {
		defer line.End()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				t.mu.Lock()
				run := 0
				if of := t.programs["ours"]; of != nil {
					run = of.seeds
				}
				t.mu.Unlock()
				line.Set(int64(run), int64(all))
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
	}
}

// one runs a seed with our program and, if wanted, with Swift's.
func (o *options) one(ctx context.Context, s interop.Seed, ours cluster.Program, t *totals) {
	now := time.Now()
	own, err := o.bed.Run(ctx, s, now, ours)
	if ctx.Err() != nil {
		return
	}
	t.add(ours.Name, s, own, err)
	if err != nil || !own.OK() {
		t.fail(s, own, err)
	}
	if !o.stock {
		return
	}
	s.Kill = false
	theirs, err := o.bed.Run(ctx, s, now, cluster.Stock)
	if ctx.Err() != nil {
		return
	}
	t.add(cluster.Stock.Name, s, theirs, err)
	settled := err == nil && theirs.Quiet && len(theirs.Findings) == theirs.Count(lab.Touched)
	if settled && own != nil && own.Rounds > theirs.Rounds && own.Kills == 0 {
		t.mu.Lock()
		t.slower = append(t.slower, fmt.Sprintf("%s: %d rounds, Swift's %d", s.Command(), own.Rounds, theirs.Rounds))
		t.mu.Unlock()
	}
}

func (t *totals) add(program string, s interop.Seed, j *interop.Judged, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.programs[program]
	if of == nil {
		of = &sum{kinds: map[lab.Kind]int{}, rounds: map[int]int{}}
		t.programs[program] = of
	}
	of.seeds++
	if err != nil {
		of.errors++
	}
	if j == nil {
		return
	}
	of.objects += j.Objects
	of.passes += j.Passes
	of.kills += j.Kills
	of.troubles += len(j.Troubles)
	of.elapsed += j.Elapsed
	if j.Quiet {
		of.rounds[j.Rounds]++
	} else {
		of.restless++
	}
	for _, k := range lab.Findings {
		of.kinds[k] += j.Count(k)
	}
	if j.Count(lab.Lost) > 0 {
		of.losing = append(of.losing, fmt.Sprintf("%d/%s", s.Number, s.Method))
	}
}

const maxShown = 12 // lines of one failed seed

func (t *totals) fail(s interop.Seed, j *interop.Judged, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = append(t.failed, s.Command())
	fmt.Printf("FAIL %s\n", s.Command())
	if err != nil {
		fmt.Printf("  error: %v\n", err)
	}
	if j == nil {
		return
	}
	fmt.Printf("  %s\n", j.Summary())
	lines := j.Troubles
	for _, f := range j.Findings {
		lines = append(lines, f.String())
	}
	for i, line := range lines {
		if i == maxShown {
			fmt.Printf("  and %d more\n", len(lines)-i)
			break
		}
		fmt.Printf("  %s\n", line)
	}
	if j.Root != "" {
		fmt.Printf("  kept %s\n", j.Root)
	}
}

func (t *totals) print(elapsed time.Duration) {
	for _, name := range []string{"ours", cluster.Stock.Name} {
		of := t.programs[name]
		if of == nil {
			continue
		}
		fmt.Printf("%s: %d seeds, %d objects, %d passes, %d killed, %s a seed\n", name, of.seeds, of.objects, of.passes, of.kills,
			(of.elapsed / time.Duration(max(1, of.seeds))).Round(10*time.Millisecond))
		var words []string
		for _, k := range lab.Findings {
			words = append(words, fmt.Sprintf("%d %s", of.kinds[k], k))
		}
		fmt.Printf("  %s; %d not quiet, %d troubles, %d errors\n", strings.Join(words, ", "), of.restless, of.troubles, of.errors)
		fmt.Printf("  rounds:%s\n", histogram(of.rounds))
		if len(of.losing) > 0 {
			fmt.Printf("  lost something in %s\n", strings.Join(of.losing, " "))
		}
	}
	for _, line := range t.slower {
		fmt.Println("more rounds than Swift's:", line)
	}
	for _, line := range t.failed {
		fmt.Println("failed:", line)
	}
	fmt.Printf("%d failed, %s\n", len(t.failed), elapsed.Round(time.Second))
}

func histogram(rounds map[int]int) string {
	var b strings.Builder
	for n := 1; n <= 99; n++ {
		if rounds[n] > 0 {
			fmt.Fprintf(&b, " %d×%d", n, rounds[n])
		}
	}
	return b.String()
}
