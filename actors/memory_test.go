//go:build !race

package actors

import (
	"context"
	"runtime"
	"testing"
	"time"

	"understudy/internal/process"
	"understudy/messages"
)

func init() { process.SmallRegistry() } // as our programs do

// Passes leave nothing behind: after the actor library's registry has filled its maps
// once (2 MiB in all, whatever the number of actors), memory and goroutines stay as
// they are, pass after pass. Not under the race detector, whose memory is its own:
// `make unit` runs it once without.
func TestPassesLeaveNothingBehind(t *testing.T) {
	const partitions, warm, more, slots = 20000, 5, 3, 64
	inWorld(t, everywhere(partitions), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval, w.opts.StatsInterval = false, slots, time.Second, 100*time.Hour
		all := make([]uint32, partitions)
		for i := range all {
			all[i] = uint32(i)
		}
		w.list = func(context.Context, string, int) (messages.Listing, error) {
			return messages.Listing{Partitions: all}, nil
		}
		measure := func(passes int) (heap uint64, goroutines int) {
			for w.device("d0").Passes < passes {
				time.Sleep(time.Second)
			}
			w.mu.Lock()
			w.log.Reset()
			w.recon = nil
			w.mu.Unlock()
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc, runtime.NumGoroutine()
		}
		w.start()
		heap, goroutines := measure(warm)
		for i := range more {
			after, now := measure(warm + i + 1)
			t.Logf("pass %d: %d KiB, %d goroutines", warm+i+1, after>>10, now)
			if after > heap+2<<20 || // thirty bytes for each job
				now > goroutines+2*slots { // jobs of the next pass are at work
				t.Errorf("after pass %d: %d KiB, %d goroutines; after pass %d: %d KiB, %d", warm+i+1, after>>10, now, warm, heap>>10, goroutines)
			}
		}
	})
}
