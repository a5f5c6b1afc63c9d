package lab

import (
	"errors"
	"testing"

	"understudy/internal/observe/status"
)

// What a running engine tells of a dry run, its next pass does; the dry run itself does
// nothing.
func TestEngineDryRunForetellsThePass(t *testing.T) {
	c, h, _ := emptied(t, "ssync", 60, nil)
	d := runDaemon(t, c.Node(1))
	d.passes(1)
	if err := c.Lose(Place{c.Node(2), "d1"}); err != nil {
		t.Fatal(err)
	}
	told, err := d.engine.DryRun(t.Context(), status.DryRun{Limit: status.DryRunMost})
	if err != nil {
		t.Fatal(err)
	}
	before, pushes, suffixes := d.report().Totals, 0, int64(0)
	for _, device := range told.Devices {
		pushes += device.Updates
		for _, peer := range device.Peers {
			suffixes += int64(peer.Suffixes)
		}
		if device.Failed+device.Handoffs > 0 || device.Limited {
			t.Errorf("%+v", device)
		}
	}
	if v := check(t, c, h); v.Counts[Short] == 0 || pushes == 0 {
		t.Fatalf("%s; %d partitions to push: the dry run has pushed, or seen nothing", v, pushes)
	}
	if now := d.report().Totals; now.Bytes != before.Bytes || now.Pushed != before.Pushed {
		t.Errorf("it counts as work: %+v, before %+v", now, before)
	}
	d.do(status.RunPass{})
	d.passes(1)
	if now := d.report().Totals; now.Pushed-before.Pushed != suffixes {
		t.Errorf("a pass pushed %d suffixes, the dry run told %d", now.Pushed-before.Pushed, suffixes)
	}
	if then, err := d.engine.DryRun(t.Context(), status.DryRun{Limit: status.DryRunMost}); err != nil || then.Devices[0].Updates+then.Devices[1].Updates > 0 {
		t.Errorf("after the pass: %+v, %v", then, err)
	}
	var unknown *status.Refusal
	if _, err := d.engine.DryRun(t.Context(), status.DryRun{Device: "sdz"}); !errors.As(err, &unknown) {
		t.Errorf("of no device: %v", err)
	}
	nine := 9
	if _, err := d.engine.DryRun(t.Context(), status.DryRun{Policy: &nine}); !errors.As(err, &unknown) {
		t.Errorf("of no policy: %v", err)
	}
}
