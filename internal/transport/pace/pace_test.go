package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// took is how long sending n bytes from a device takes, in a bubble.
func took(t *testing.T, p *Pace, device string, n int) time.Duration {
	t.Helper()
	begun := time.Now()
	if err := p.Wait(t.Context(), device, n); err != nil {
		t.Fatal(err)
	}
	return time.Since(begun)
}

func near(got, want time.Duration) bool { return got > want*9/10 && got < want*11/10 }

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New()
		if d := took(t, p, "sda", 100<<20); d != 0 {
			t.Errorf("without a bound it took %v", d)
		}
		p.Set(1<<20, 0)
		if d := took(t, p, "sda", 10<<20); !near(d, 10*time.Second) {
			t.Errorf("10 MiB at 1 MiB/s of the node took %v", d)
		}
		p.Set(0, 1<<20)
		if d := took(t, p, "sdb", 10<<20); !near(d, 10*time.Second) {
			t.Errorf("10 MiB at 1 MiB/s of the disk took %v", d)
		}
		p.Set(0, 0)
		if d := took(t, p, "sda", 100<<20) + took(t, p, "sdb", 100<<20); d != 0 {
			t.Errorf("once the bounds are lifted it took %v", d)
		}
	})
}

// A wait that would be longer than its context lasts is an error, and not later than its
// end.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New()
		p.Set(10_000, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		if err := p.Wait(ctx, "sda", 10<<20); err == nil || time.Since(begun) > time.Minute {
			t.Errorf("10 MiB in a minute at 10 kB/s: %v after %v", err, time.Since(begun))
		}
	})
}

// Children share a bound; what one has sent beyond its share the next one waits for.
func TestChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New()
		p.Set(1<<20, 600<<10)
		begin := func(device string) *Child {
			t.Helper()
			c, err := p.Begin(t.Context(), device)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		a := begin("sda")
		if a.Bytes != 600<<10 {
			t.Errorf("alone: %d bytes a second", a.Bytes)
		}
		b := begin("sdb")
		if b.Bytes != 512<<10 {
			t.Errorf("the second of two: %d bytes a second", b.Bytes)
		}
		a.End(0)
		b.End(10 << 20) // at once: ten seconds too early
		begun := time.Now()
		begin("sdc").End(0)
		if d := time.Since(begun); !near(d, 10*time.Second) {
			t.Errorf("the next child waited for %v", d)
		}
		p.Set(0, 0)
		if c := begin("sda"); c.Bytes != 0 {
			t.Errorf("without a bound: %d bytes a second", c.Bytes)
		}
	})
}
