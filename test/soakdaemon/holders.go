package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// holder is a process that has a file of a disk open.
type holder struct{ pid, command, file string }

func (h holder) String() string { return fmt.Sprintf("; %s (%.80q) has %s", h.pid, h.command, h.file) }

// isServer tells whether it is one of Swift's object servers.
func (h holder) isServer() bool { return strings.Contains(h.command, "swift-object-server") }

// holders are the processes that have something of a deed's disk open.
func holders(d *deed) []holder {
	if d.disk.Name == "" {
		return nil
	}
	path := d.node.DevicePath(d.disk.Name)
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	var found []holder
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || to != path && !strings.HasPrefix(to, path+"/") {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		line, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err == nil {
			found = append(found, holder{filepath.Base(process), strings.ReplaceAll(string(line), "\x00", " "), to})
		}
	}
	return found
}

// makeLetGo does what an operator does when Swift's object server alone keeps a disk
// from being unmounted, minutes after the last client has gone: it is restarted. In one
// run of many it had requests that never ended, with nothing hanging in the kernel.
// Whatever else holds a disk is left as it is: that may be ours.
func (s *soak) makeLetGo(ctx context.Context, i *ill, held []holder) error {
	if len(held) == 0 {
		return nil
	}
	for _, h := range held {
		if !h.isServer() {
			return nil
		}
	}
	s.note("object server %d is restarted, for it keeps %s; its threads:%s", i.node.Number, i.on, threads(held[0].pid))
	s.counts["restart object server that kept a disk"]++
	return i.node.RestartServer(ctx)
}

// threads tells where the kernel sees each thread of a process.
func threads(pid string) string {
	tasks, err := filepath.Glob("/proc/" + pid + "/task/*")
	if err != nil {
		return ""
	}
	var all strings.Builder
	for _, task := range tasks {
		at, err := os.ReadFile(filepath.Join(task, "syscall"))
		stack, err2 := os.ReadFile(filepath.Join(task, "stack"))
		if err == nil && err2 == nil {
			fmt.Fprintf(&all, "\n%s: %s%s", filepath.Base(task), at, stack)
		}
	}
	return all.String()
}
