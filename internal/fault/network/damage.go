package network

import (
	"sync"
	"time"

	"understudy/internal/fault"
)

// damage is what a fault has in store for one connection from its beginning on.
type damage struct {
	mu       sync.Mutex
	hit      fault.Hit // its verb is "" without one
	limit    int64     // bytes both ways until the end; -1: none
	both     int64     // that have passed
	way      [2]int64  // in, out
	finished bool
	lasts    func() bool // the fault is not over yet
}

func (d *damage) set(h fault.Hit, faults *fault.Injector) {
	d.hit, d.limit = h, -1
	d.lasts = func() bool { return faults.Lasts(h) }
	switch h.Verb {
	case "reset", "stall", "half-close":
		d.limit = h.NamedInt("after-bytes", 0)
	case "cut", "delay":
		d.hit.Verb = "" // they are met by each operation itself
	}
}

// on tells whether there is something to do: a connection whose fault is over is a good
// one again.
func (d *damage) on() bool { return d.hit.Verb != "" && d.lasts() }

// over lets a connection go on as if there were nothing.
func (d *damage) over() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = -1
}

func (d *damage) closeOnce() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !d.finished
	d.finished = true
	return first
}

// room is how many of n bytes may pass now; end: none, ever.
func (d *damage) room(n int) (room int, end bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.on() {
		return n, false
	}
	if d.hit.Verb == "slow" {
		n = min(n, int(max(1, d.hit.Int()/10)))
	}
	if d.limit < 0 {
		return n, false
	}
	left := d.limit - d.both
	return int(min(int64(n), max(left, 0))), left <= 0 && n > 0
}

// slow is how long n bytes take.
func (d *damage) slow(n int) (fault.Hit, time.Duration) {
	if d.hit.Verb != "slow" || !d.on() {
		return fault.Hit{}, 0
	}
	return d.hit, time.Duration(float64(n) / float64(d.hit.Int()) * float64(time.Second))
}

// passed counts bytes and, of those that come in, changes what is to be changed.
func (d *damage) passed(p []byte, in bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.both += int64(len(p))
	if in {
		d.change(p, d.way[0], "in")
		d.way[0] += int64(len(p))
		return
	}
	d.way[1] += int64(len(p))
}

// sent is what is sent for some bytes. The caller's are left as they are.
func (d *damage) sent(p []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hit.Verb != "flip" && d.hit.Verb != "garbage" || d.hit.Named("way") != "out" {
		return p
	}
	changed := append([]byte(nil), p...)
	d.change(changed, d.way[1], "out")
	return changed
}

// change spoils bytes whose first is at a place of the stream. The caller holds mu.
func (d *damage) change(p []byte, from int64, way string) {
	meant := d.hit.Named("way")
	if meant == "" {
		meant = "in"
	}
	if meant != way || !d.on() {
		return
	}
	switch d.hit.Verb {
	case "flip":
		if at := d.hit.NamedInt("at", 0) - from; at >= 0 && at < int64(len(p)) {
			p[at] ^= 1 << (d.hit.Draw % 8)
		}
	case "garbage":
		for i := max(0, d.hit.NamedInt("after-bytes", 0)-from); i < int64(len(p)); i++ {
			x := (d.hit.Draw + uint64(from+i)) * 0x9e3779b97f4a7c15
			p[i] = byte(x >> 56)
		}
	}
}
