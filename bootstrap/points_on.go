//go:build failpoints

package bootstrap

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/fault/disk"
	"understudy/internal/store"
)

// A build for crash points (`-tags failpoints`) follows the fault plan in the file that
// UNDERSTUDY_POINTS names: at the disks and the starts of rsyncs, and to its own end. How often each point of
// the plan was seen goes to the file UNDERSTUDY_SEEN, if one is named.

const seenEvery = 10 * time.Millisecond // what a process does at its very end is not told

// points are those that this process is to end at, nil: none.
var points = sync.OnceValue(func() *fault.Injector {
	path := os.Getenv("UNDERSTUDY_POINTS")
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		panic(fmt.Sprintf("read fault plan: %v", err))
	}
	plan, err := fault.Parse(string(text))
	if err != nil {
		panic(err.Error())
	}
	faults := fault.NewInjector(plan, nil)
	if seen := os.Getenv("UNDERSTUDY_SEEN"); seen != "" {
		go tellSeen(faults, seen)
	}
	return faults
})

func disksOf(cfg *config.Config) store.FS {
	if points() == nil {
		return nil
	}
	return disk.New(store.OS(), points(), disk.Config{Root: cfg.Devices})
}

func tellSeen(faults *fault.Injector, path string) {
	for {
		seen := map[string]int{}
		for _, c := range faults.Counts() {
			seen[c.Fault] = int(c.Seen)
		}
		if text, err := json.Marshal(seen); err == nil && os.WriteFile(path+".new", text, 0o644) == nil {
			_ = os.Rename(path+".new", path) // who reads it sees the one before
		}
		time.Sleep(seenEvery)
	}
}
