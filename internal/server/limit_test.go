package server

import (
	"context"
	"testing"
	"time"
)

func TestSlots(t *testing.T) {
	s := slots{limit: 2}
	take := func(ctx context.Context, device string) func() {
		release, _ := s.take(ctx, device, time.Millisecond)
		return release
	}
	first := take(t.Context(), "sda1")
	// A place is good again after its release, however often.
	for range 5 {
		release := take(t.Context(), "sda1")
		if release == nil {
			t.Fatal("no second place")
		}
		if take(t.Context(), "sda1") != nil {
			t.Fatal("a third place")
		}
		release()
	}
	other := take(t.Context(), "sdb1")
	if first == nil || other == nil {
		t.Fatal("no place")
	}
	second := take(t.Context(), "sda1")
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if release, ok := s.take(done, "sda1", time.Hour); ok || release != nil {
		t.Error("a place although the context is done")
	}
	first()
	second()
	other()
	if len(s.used) != 0 {
		t.Errorf("%d devices remembered", len(s.used))
	}
}
