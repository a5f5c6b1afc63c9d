package bootstrap

import (
	"understudy/config"
	"understudy/internal/fault/disk"
	"understudy/internal/store"
)

// disks makes the store of a configuration. With an injector its file system fails as
// the plan in force says; without one nothing stands between.
func (e *Engine) disks(cfg *config.Config) *store.Store {
	options := storeOptions(cfg, e.log)
	if e.settings.Faults != nil {
		options.FS = disk.New(store.OS(), e.settings.Faults, disk.Config{Root: cfg.Devices})
	}
	return store.New(options)
}
