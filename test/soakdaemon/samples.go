package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const sampleEvery = 10 * time.Second

// sample is what the kernel tells of a daemon, and what it tells of itself.
type sample struct {
	Threads, Fds, Children int
	Goroutines             int // 0 before it has told
	RSS, PSS               int // KiB
}

// samples are taken of each daemon, in a file and in memory.
type samples struct {
	file   *os.File
	inside string // folder of what daemons tell of themselves
	begun  time.Time
	mu     sync.Mutex
	of     map[int][]sample // by node, in time
}

func newSamples(dir string) (*samples, error) {
	f, err := os.Create(filepath.Join(dir, "samples"))
	if err != nil {
		return nil, fmt.Errorf("begin the samples: %w", err)
	}
	fmt.Fprintln(f, "seconds\tnode\tpid\tthreads\tfds\tchildren\tgoroutines\trss_kib\tpss_kib")
	return &samples{file: f, begun: time.Now(), of: map[int][]sample{}}, nil
}

// take takes a sample of a process. One that is ending has none.
func (s *samples) take(node, pid int) {
	is, ok := look(pid)
	if !ok {
		return
	}
	if told, err := os.ReadFile(filepath.Join(s.inside, fmt.Sprintf("inside-%d", pid))); err == nil {
		is.Goroutines = field(told, "goroutines")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[node] = append(s.of[node], is)
	fmt.Fprintf(s.file, "%.0f\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", time.Since(s.begun).Seconds(), node, pid,
		is.Threads, is.Fds, is.Children, is.Goroutines, is.RSS, is.PSS)
}

// restart forgets what was taken of a node: another daemon runs there.
func (s *samples) restart(node int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[node] = nil
}

func (s *samples) last(node int) sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.of[node]; len(all) > 0 {
		return all[len(all)-1]
	}
	return sample{}
}

func (s *samples) all(node int) []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.of[node])
}

func look(pid int) (sample, bool) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	status, err := os.ReadFile(proc + "status")
	fds, err2 := os.ReadDir(proc + "fd")
	pss, err3 := os.ReadFile(proc + "smaps_rollup")
	if cmp.Or(err, err2, err3) != nil {
		return sample{}, false
	}
	is := sample{Threads: field(status, "Threads:"), Fds: len(fds), RSS: field(status, "VmRSS:"), PSS: field(pss, "Pss:")}
	lists, err := filepath.Glob(proc + "task/*/children")
	if err != nil {
		return sample{}, false
	}
	for _, path := range lists {
		if list, err := os.ReadFile(path); err == nil {
			is.Children += len(strings.Fields(string(list)))
		}
	}
	return is, is.RSS > 0
}

// field is the number after a name in one of the kernel's tables.
func field(table []byte, name string) int {
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
