package main

import (
	"sync/atomic"

	"understudy/internal/observe/status"
)

// disks are those of the daemon, as it has named them last: also while it is away, for
// pushes reach them all the same. None before it has been heard.
type disks struct {
	names atomic.Pointer[map[string]bool]
}

func (d *disks) are(all []status.Device) {
	names := make(map[string]bool, len(all))
	for _, one := range all {
		names[one.Name] = true
	}
	d.names.Store(&names)
}

func (d *disks) has(name string) bool {
	names := d.names.Load()
	return names != nil && (*names)[name]
}
