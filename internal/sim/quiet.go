package sim

import (
	"runtime"
	"runtime/debug"
)

// collected keeps the collector of garbage, and other processors, from changing the
// order in which goroutines that one step has woken go on. What the run has left is
// collected in its end.
func collected() (end func()) {
	processors := runtime.GOMAXPROCS(1)
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(1 << 30)
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
		runtime.GOMAXPROCS(processors)
	}
}
