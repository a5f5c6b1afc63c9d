package lab

import (
	"strings"
	"testing"

	"understudy/internal/fault"
)

// Every place of a plan is reached on whole nodes: what a fault is for happens there, and
// nothing is lost by it.
func TestFaultsReachTheirPlaces(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole nodes")
	}
	for _, test := range []struct{ sync, plan string }{
		{"ssync", "net from=n1 to=n2 : reset after-bytes=100 times=2"},
		{"ssync", "net from=n1 op=write : delay 1ms times=3"},
		{"ssync", "net to=n2 op=accept : reset times=2"},
		{"ssync", "peer node=n1 verb=REPLICATE : answer 507 times=2"},
		{"ssync", "peer verb=SSYNC : answer 503 times=2"},
		{"ssync", "peer verb=SURVEY : garbage times=1"},
		{"rsync", "peer : pickle truncated times=2"},
		{"rsync", "rsync node=n1 : exit 23 times=2"},
		{"rsync", "rsync peer=n2 : killed times=1"},
		{"ssync", "disk node=n1 op=readdir : error EIO nth=5"},
		{"ssync", "actor kind=partition : panic nth=3"},
		{"ssync", "clock node=n1 : jump 1h"},
	} {
		t.Run(strings.ReplaceAll(test.plan, " ", "_"), func(t *testing.T) {
			plan, err := fault.Parse(test.plan)
			must(t, err)
			faults := fault.NewInjector(plan, nil)
			c := newCluster(t, Spec{
				Nodes: 2, Disks: 2, Replicas: 2, PartPower: 3, Seed: 3, Options: map[string]string{"sync_method": test.sync},
				Faults: func(n int) *fault.Injector { return faults.Seat(WorldNode{Number: n}.Name(), NameAt) },
			})
			h := seed(t, c, 20)
			must(t, c.Lose(Place{c.Node(2), "d1"}))
			var v *Verdict
			for range 6 {
				_, err := c.Round(t.Context())
				must(t, err)
				if v = check(t, c, h); v.OK() && faults.Counts()[0].Fired > 0 {
					break
				}
			}
			if n := faults.Counts()[0]; n.Fired == 0 {
				t.Errorf("never happened, seen %d times", n.Seen)
			}
			if !v.OK() {
				t.Errorf("in the end: %s\n%v", v, v.Problems)
			}
		})
	}
}
