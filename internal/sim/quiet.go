package sim

import (
	"runtime"
	"runtime/debug"
)

// collected keeps the collector of garbage, and other processors, from changing the
// order in which goroutines that one step has woken go on. Garbage is collected when all
// of them rest, now and then.
func collected() (end func()) {
	processors := runtime.GOMAXPROCS(1)
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(2 << 30) // for the worst: never reached in an ordinary run
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
		runtime.GOMAXPROCS(processors)
	}
}

// collect is called between two steps.
func collect(step uint64) {
	if step%20_000 == 0 {
		runtime.GC()
	}
}
