package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// What the kernel tells, in the form of Swift: common/middleware/recon.py.

func procLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}

func memory(context.Context) (any, error) {
	lines, err := procLines("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, ":"); ok {
			info[name] = strings.TrimSpace(value)
		}
	}
	return info, nil
}

func load(context.Context) (any, error) {
	lines, err := procLines("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	var info struct {
		One       float64 `json:"1m"`
		Five      float64 `json:"5m"`
		Fifteen   float64 `json:"15m"`
		Tasks     string  `json:"tasks"`
		Processes int     `json:"processes"`
	}
	if _, err := fmt.Sscan(lines[0], &info.One, &info.Five, &info.Fifteen, &info.Tasks, &info.Processes); err != nil {
		return nil, fmt.Errorf("read /proc/loadavg: %w", err)
	}
	return info, nil
}

func mounts(context.Context) (any, error) {
	lines, err := procLines("/proc/mounts")
	if err != nil {
		return nil, err
	}
	type mount struct {
		Device string `json:"device"`
		Path   string `json:"path"`
	}
	list := []mount{}
	for _, line := range lines {
		if words := strings.Fields(line); len(words) >= 2 {
			list = append(list, mount{words[0], words[1]})
		}
	}
	return list, nil
}

func sockets(context.Context) (any, error) {
	info := map[string]int{}
	for _, file := range []struct {
		path, prefix string
		fields       map[string]int // by name, the word of the line
	}{
		{"/proc/net/sockstat", "TCP: inuse", map[string]int{"tcp_in_use": 2, "orphan": 4, "time_wait": 6, "tcp_mem_allocated_bytes": 10}},
		{"/proc/net/sockstat6", "TCP6: inuse", map[string]int{"tcp6_in_use": 2}},
	} {
		lines, err := procLines(file.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, file.prefix) {
				continue
			}
			words := strings.Fields(line)
			for name, at := range file.fields {
				if at >= len(words) {
					return nil, fmt.Errorf("read %s: a short line", file.path)
				}
				if info[name], err = strconv.Atoi(words[at]); err != nil {
					return nil, fmt.Errorf("read %s: %w", file.path, err)
				}
			}
		}
	}
	if pages, ok := info["tcp_mem_allocated_bytes"]; ok {
		info["tcp_mem_allocated_bytes"] = pages * os.Getpagesize()
	}
	return info, nil
}
