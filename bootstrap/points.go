//go:build !failpoints

package bootstrap

import (
	"understudy/config"
	"understudy/internal/store"
)

// disksOf is the file system of the devices; nil is the real one.
func disksOf(*config.Config) store.FS { return nil }
