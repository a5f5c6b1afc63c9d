package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"understudy/internal/fault"
	"understudy/test/faults/sick"
)

func TestMain(m *testing.M) { os.Exit(sick.Main(m, needs...)) }

// A few strikes; make crashpoints has as many as you like.
func TestCrashPoints(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	dir := t.TempDir()
	for path := dir; path != os.TempDir() && path != "/"; path = path[:strings.LastIndexByte(path, '/')] {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p, err := build(ctx, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	totals, err := campaign(ctx, t.Output(), dir, p, aim{}, 2, 3)
	t.Log(totals.String())
	if err != nil || len(totals.wrong) > 0 {
		t.Error(err, totals.wrong)
	}
}

// Every point is one that plans know.
func TestPlans(t *testing.T) {
	text, points := everywhere()
	plan, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Faults) != len(points) || len(points) != len(ops)*len(classes)+len(rsyncs) {
		t.Errorf("%d faults, %d points", len(plan.Faults), len(points))
	}
	for _, f := range plan.Faults {
		if _, ok := points[f.String()]; !ok {
			t.Errorf("%q comes back as another", f)
		}
	}
	for _, verb := range verbs {
		if _, err := fault.Parse(points[plan.Faults[0].String()].line(verb, 2)); err != nil {
			t.Error(err)
		}
	}
}
