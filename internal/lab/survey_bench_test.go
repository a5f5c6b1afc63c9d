package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/bootstrap"
	"understudy/messages"
)

// BenchmarkPassInSync is passes over partitions that are in sync, 4096 of them with two
// peers of ours each: by surveys and, with native_lane = no, by a REPLICATE for each
// partition and peer. Engine and servers are in this process; the CPU time is that of
// all of them. The trees are on tmpfs.
func BenchmarkPassInSync(b *testing.B) {
	for _, lane := range []string{"yes", "no"} {
		b.Run("native_lane="+lane, func(b *testing.B) {
			const power = 12
			c := benchCluster(b, Spec{Nodes: 3, Disks: 1, Replicas: 3, PartPower: power, Seed: 3, Options: map[string]string{
				"interval": "0.001", "concurrency": "4", "native_lane": lane,
			}})
			engine, err := bootstrap.New(bootstrap.Settings{Config: c.Node(1).Config, Log: zerolog.Nop()})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { defer close(ended); _, _ = engine.Run(ctx) }()
			defer func() { cancel(); <-ended }()
			passes := func() int {
				s, err := engine.Snapshot(b.Context())
				if err != nil || len(s.Devices) == 0 {
					return 0
				}
				if s.Devices[0].Stats.Failure > 0 {
					b.Fatalf("%+v", s.Devices[0].Stats)
				}
				return s.Devices[0].Passes
			}
			wait := func(n int) {
				for passes() < n {
					time.Sleep(2 * time.Millisecond)
				}
			}
			wait(4)
			time.Sleep(3 * time.Second) // what the first passes wrote is no longer fresh
			from := passes() + 1
			wait(from)
			cpu, n := cpuTime(b), max(b.N, 10) // ten: each partition is listed once
			b.ResetTimer()
			wait(from + n)
			b.StopTimer()
			each := float64(n << power)
			b.ReportMetric(each/b.Elapsed().Seconds(), "partitions/s")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/each, "µs/partition")
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/each, "cpu-µs/partition")
		})
	}
}

// benchCluster has one small object in every partition.
func benchCluster(b *testing.B, spec Spec) *Cluster {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "understudy-lab-")
	if err != nil {
		b.Skip("no tmpfs for a benchmark:", err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	spec.Dir = dir
	c, err := New(b.Context(), spec)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	})
	for part := range uint32(1) << spec.PartPower {
		for _, p := range c.Primaries(part) {
			hash := fmt.Sprintf("%08x%s%03x", part, strings.Repeat("0", 21), part%4096)
			at := filepath.Join(p.Path(), messages.ObjectsDir(0), fmt.Sprint(part), hash[29:], hash)
			if err := os.MkdirAll(at, 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(at, "1700000000.00000.data"), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	return c
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
