package node

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Peak is the most that one process has had. It may be read at any time.
type Peak struct {
	resident atomic.Int64 // KiB
	threads  atomic.Int64
}

// Resident is VmHWM in bytes.
func (p *Peak) Resident() int64 { return p.resident.Load() << 10 }

// Threads is the highest number that was seen.
func (p *Peak) Threads() int { return int(p.threads.Load()) }

// follow looks at a process until it ends. The high water mark only grows, so what a
// look misses is what was allocated in the last moment before the end.
func (p *Peak) follow(pid int, done <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s, err := status(pid); err == nil {
			// The shell before the program is small: its mark does not matter.
			p.resident.Store(max(p.resident.Load(), s["VmHWM"]))
			p.threads.Store(max(p.threads.Load(), s["Threads"]))
		}
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

// status are the numbers in /proc/PID/status; sizes are in KiB.
func status(pid int) (map[string]int64, error) { return numbers(fmt.Sprintf("/proc/%d/status", pid)) }

func numbers(path string) (map[string]int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(words[0], 10, 64); err == nil {
			found[name] = n
		}
	}
	return found, nil
}

// Footprint is what a program and all its descendants have.
type Footprint struct {
	Processes int
	Threads   int
	PSS       int64 // bytes
}

// Footprint adds up the program and its descendants as they are now.
func (r *Run) Footprint() (Footprint, error) {
	family, err := family(r.PID())
	if err != nil {
		return Footprint{}, err
	}
	var f Footprint
	for _, pid := range family {
		s, err := status(pid)
		if err != nil {
			return Footprint{}, fmt.Errorf("look at process %d: %w", pid, err)
		}
		m, err := numbers(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return Footprint{}, fmt.Errorf("look at process %d: %w", pid, err)
		}
		f.Processes++
		f.Threads += int(s["Threads"])
		f.PSS += m["Pss"] << 10
	}
	return f, nil
}

// CPU is what the program and its descendants have used so far.
func (r *Run) CPU() (time.Duration, error) {
	family, err := family(r.PID())
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, pid := range family {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("look at process %d: %w", pid, err)
		}
		// The name, in parentheses, may hold anything.
		words := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, word := range words[11:13] { // utime, stime
			n, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("look at process %d: %w", pid, err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil // USER_HZ is 100 on every Linux
}

// family are a process and its descendants.
func family(root int) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range paths {
		s, err := numbers(path)
		if err != nil {
			continue // it has ended
		}
		parent := int(s["PPid"])
		children[parent] = append(children[parent], int(s["Pid"]))
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}
