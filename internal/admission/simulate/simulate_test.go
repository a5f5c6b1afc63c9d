package simulate

import (
	"flag"
	"fmt"
	"testing"

	"understudy/internal/admission"
)

var full = flag.Bool("full", false, "print the table of docs/admission.md")

func setting(seed uint64, nodes, k int) Setting {
	return Setting{
		Seed: seed, Nodes: nodes, New: nodes / 20, Disks: 60, Moves: 20, Lost: nodes * 30, Size: 2000, Slots: 24,
		Admission: k > 0, Rules: admission.Rules{In: k, Out: k},
	}
}

// A small cluster: admission keeps the disks that receive from being overrun, and all
// is done in the end.
func TestAdmissionBoundsStreams(t *testing.T) {
	without, err := Run(setting(1, 20, 0))
	if err != nil {
		t.Fatal(err)
	}
	with, err := Run(setting(1, 20, 2))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Run(setting(1, 20, 2)); again != with {
		t.Error("the same seed gave another run")
	}
	if with.Most > 4 || without.Most < 2*with.Most || with.P99 >= without.P99 {
		t.Errorf("with %+v, without %+v", with, without)
	}
}

func TestTable(t *testing.T) {
	nodes, most, seeds := 20, 1, uint64(1)
	if *full {
		nodes, most, seeds = 200, 4, 3
	}
	fmt.Println("| leases | seed | whole | done | most streams | client median | client p99 | asks |")
	for k := range most + 1 {
		for seed := uint64(1); seed <= seeds; seed++ {
			r, err := Run(setting(seed, nodes, k))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("| %d | %d | %v | %v | %d | %v | %v | %d |\n", k, seed, r.Whole, r.Done, r.Most, r.Median, r.P99, r.Asks)
		}
	}
}
