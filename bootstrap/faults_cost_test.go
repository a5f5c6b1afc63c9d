package bootstrap

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

var faultsCost = flag.String("faults.cost", "", "print the processor time of hashing and of questions: with no injector (none), or one without a plan (idle)")

// What the seams of faults cost when nothing goes wrong: one line of numbers, for
// "make bench-faults", which runs this in turn with a build that has no faults. Without
// the flag it only shows that it works.
func TestFaultsCost(t *testing.T) {
	var faults *fault.Injector
	if *faultsCost != "none" {
		faults = fault.NewInjector(fault.Plan{}, nil)
	}
	if *faultsCost == "" {
		hashingCost(t, faults, 1)
		questionCost(t, faults, 10)
		return
	}
	fmt.Printf("cost %s hash %d question %d\n", *faultsCost, hashingCost(t, faults, 10), questionCost(t, faults, 5000))
}

// hashingCost hashes 2000 hash directories afresh, some times.
func hashingCost(t *testing.T, faults *fault.Injector, times int) time.Duration {
	root := t.TempDir()
	p := messages.Partition{Device: "sda", Number: 7}
	for i := range 2000 {
		dir := filepath.Join(root, "sda/objects/7", fmt.Sprintf("%03x", i/2), fmt.Sprintf("%029x%03x", i, i/2))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "1700000000.00000.data"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	disks := faultyStore(&config.Config{Devices: root, DiskFile: config.DiskFile{ReclaimAge: 1e5 * time.Hour}}, faults, zerolog.Nop())
	before := processorTime(t)
	for range times {
		_ = os.Remove(filepath.Join(root, "sda/objects/7/hashes.pkl"))
		if r, err := disks.Hashes(t.Context(), p, messages.HashOptions{List: true}); err != nil || r.Hashed != 1000 {
			t.Fatalf("%d suffixes hashed: %v", r.Hashed, err)
		}
	}
	return processorTime(t) - before
}

// questionCost asks a peer so many times, over connections as an engine makes them.
func questionCost(t *testing.T, faults *fault.Injector, times int) time.Duration {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\x80\x02}q\x00.")) })}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	e := &Engine{settings: Settings{Faults: faults}}
	c := replicate.New(replicate.Config{ConnTimeout: time.Minute, HTTPTimeout: time.Minute, UserAgent: "test", Dial: answers(e.faults(), e.wire())})
	defer c.Close()
	peer := messages.Node{ReplicationIP: "127.0.0.1", ReplicationPort: l.Addr().(*net.TCPAddr).Port, Device: "d1"}
	before := processorTime(t)
	for range times {
		if _, err := c.Hashes(t.Context(), peer, 0, 7); err != nil {
			t.Fatal(err)
		}
	}
	return processorTime(t) - before
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
