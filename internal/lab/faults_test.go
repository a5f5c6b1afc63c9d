package lab

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/internal/fault"
	"understudy/internal/observe/control"
	"understudy/internal/observe/page"
	"understudy/internal/observe/status"
	"understudy/internal/observe/text"
	"understudy/messages"
)

// Every place of a plan is reached on whole nodes: what a fault is for happens there, and
// nothing is lost by it.
func TestFaultsReachTheirPlaces(t *testing.T) {
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

// An operator's plan has its effect on an engine at work, is told in every view, and ends
// when it is cleared, although the disk hangs.
func TestFaultsOfARunningEngine(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 1, Disks: 2, Replicas: 2, PartPower: 2, Options: map[string]string{
		"sync_method": "ssync", "interval": "1", "probe_timeout": "1", "probe_interval": "1", "lockup_timeout": "2",
	}})
	seed(t, c, 10)
	faults := fault.NewInjector(fault.Plan{}, nil)
	e, err := bootstrap.New(bootstrap.Settings{Config: c.Node(1).Config, Log: zerolog.Nop(), Faults: faults})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = e.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	socket := filepath.Join(t.TempDir(), "s")
	views := control.New(control.Config{Engine: e, Page: page.Handler(e), Socket: socket, Mode: 0o600, Log: zerolog.Nop()})
	views.Open()
	looking := make(chan struct{})
	go func() {
		defer close(looking)
		views.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-looking })
	client := control.NewClient(socket)
	until := func(what string, ok func(*status.Report) bool) *status.Report {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			r, err := client.Report(t.Context())
			if err == nil && ok(r) {
				return r
			}
			if time.Now().After(end) {
				t.Fatalf("%s: never; %v", what, err)
			}
		}
	}
	state := func(r *status.Report) string { return r.Devices[0].State }
	until("d1 is well", func(r *status.Report) bool { return len(r.Devices) == 2 && r.Devices[0].InService && r.Faults == nil })
	_, err = client.Do(t.Context(), status.ApplyFaults{Plan: "disk device=d1 : hang", For: time.Hour})
	must(t, err)
	r := until("d1 is stalled", func(r *status.Report) bool { return state(r) == messages.StateStalled })
	if r.Faults == nil || r.Faults.Fired == 0 || !strings.Contains(text.Status(r, text.Style{}), "FAULT PLAN IN FORCE") {
		t.Errorf("nobody is told: %+v", r.Faults)
	}
	w := httptest.NewRecorder()
	page.Handler(e).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if s := w.Body.String(); !strings.Contains(s, "FAULT PLAN IN FORCE") || !strings.Contains(s, "<title>FAULTS!") {
		t.Error("the page does not tell it")
	}
	_, err = client.Do(t.Context(), status.ClearFaults{})
	must(t, err)
	until("d1 is back", func(r *status.Report) bool { return r.Faults == nil && r.Devices[0].InService })
	inBrowser(t, e, func() {
		_, err := client.Do(t.Context(), status.ApplyFaults{Plan: "disk device=d1 op=readdir : delay 1ms", For: 5 * time.Second})
		must(t, err)
	})
}
