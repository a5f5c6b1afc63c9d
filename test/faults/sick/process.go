package sick

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// State is the letter that the kernel shows for a process's first thread: D hangs in
// the kernel, Z has ended. 0: there is no such process.
func State(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return afterName(stat)[0]
}

// Hanging counts the threads of a process that hang in the kernel.
func Hanging(pid int) int {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return 0
	}
	n := 0
	for _, path := range stats {
		if stat, err := os.ReadFile(path); err == nil && afterName(stat)[0] == 'D' {
			n++
		}
	}
	return n
}

// afterName is what follows the program's name in a stat line.
func afterName(stat []byte) []byte {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 || i+2 >= len(stat) {
		return []byte{0}
	}
	return stat[i+2:]
}

// ChildrenOf are the children of a process.
func ChildrenOf(pid int) (children []int) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // the thread may have ended
		for _, word := range bytes.Fields(text) {
			if child, err := strconv.Atoi(string(word)); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// Running lists the processes whose command lines contain all of the words.
func Running(words ...string) []int {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	var pids []int
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !containsAll(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})), words) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// Locks counts the file locks that a process holds.
func Locks(pid int) (int, error) {
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, fmt.Errorf("read the kernel's locks: %w", err)
	}
	n := 0
	for line := range strings.Lines(string(locks)) {
		// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF
		if f := strings.Fields(line); len(f) > 4 && f[4] == strconv.Itoa(pid) {
			n++
		}
	}
	return n, nil
}
