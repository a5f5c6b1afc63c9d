package interop

import (
	"testing"
	"time"

	"understudy/internal/cluster"
	"understudy/internal/lab"
)

func newBed(t *testing.T) *Bed {
	t.Helper()
	f, err := forker()
	if err != nil {
		t.Fatal(err)
	}
	return &Bed{Forker: f, Server: ourServer(t), Keep: true}
}

func runSeed(t *testing.T, b *Bed, s Seed, p cluster.Program) *Judged {
	t.Helper()
	j, err := b.Run(deadline(t), s, time.Now(), p)
	if err != nil {
		t.Fatalf("%s: %v", s.Command(), err)
	}
	t.Logf("%s: %s, %s", p.Name, j.Summary(), j.Elapsed.Round(time.Millisecond))
	return j
}

// TestSeeds lets our replicator loose on a few random clusters with stock servers, our
// own, or both:
// rings, histories and debris drawn from a seed, and a judge that knows from the
// history what must exist in the end. `make soak` runs many more. What a seed has
// found once stays here.
func TestSeeds(t *testing.T) {
	b, p := newBed(t), ours(t)
	for _, s := range []Seed{
		{Number: 6, Method: "rsync", Small: true, Restart: true},
		{Number: 12, Method: "rsync", Small: true, Kill: true},
		{Number: 8, Method: "ssync", Small: true, Kill: true},
		{Number: 40004, Method: "ssync", Small: true, Servers: "mixed"},
		{Number: 41001, Method: "ssync", Servers: "ours"},
		{Number: 221, Method: "ssync"}, // an update that only a handoff had was lost: its peers had tombstones
		{Number: 305, Method: "ssync"}, // handoffs with empty suffix directories stayed for ever
	} {
		t.Run(s.Command(), func(t *testing.T) {
			shortly(t, s.Kill || s.Servers == "mixed" || s.Number == 221)
			t.Parallel()
			j := runSeed(t, b, s, p)
			for _, f := range j.Findings {
				t.Error(f)
			}
			for _, text := range j.Troubles {
				t.Error(text)
			}
			if !j.Quiet {
				t.Errorf("it has not settled after %d rounds", j.Rounds)
			}
			if j.Root != "" {
				t.Logf("kept %s", j.Root)
			}
		})
	}
}

// TestSeedsHaveTeeth: in these clusters Swift's own replicator loses objects, by a
// power cut's empty files (rsync) and by temporary files on handoffs (ssync), and
// the judge says so; ours loses none.
func TestSeedsHaveTeeth(t *testing.T) {
	b, p := newBed(t), ours(t)
	b.Keep = false
	for _, s := range []Seed{
		{Number: 402, Method: "rsync", Small: true, Torn: true},
		{Number: 221, Method: "ssync"},
	} {
		t.Run(s.Command(), func(t *testing.T) {
			t.Parallel()
			if j := runSeed(t, b, s, cluster.Stock); j.Count(lab.Lost) == 0 {
				t.Error("Swift's replicator is not seen to lose anything")
			}
			if !s.Torn {
				return // TestSeeds has it for ours
			}
			if j := runSeed(t, b, s, p); j.Count(lab.Lost) != 0 {
				t.Error(j.Findings)
			}
		})
	}
}
