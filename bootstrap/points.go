//go:build !failpoints

package bootstrap

import (
	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/store"
)

// points are none.
func points() *fault.Injector { return nil }

// disksOf is the file system of the devices; nil is the real one.
func disksOf(*config.Config) store.FS { return nil }
