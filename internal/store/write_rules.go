package store

// WriteRules are how objects are written. The zero value is Swift's defaults.
type WriteRules struct {
	// Reserve is how much of a disk is kept free: nothing but tombstones is written
	// where there would be less. Nil: 1 percent. Swift: fallocate_reserve.
	Reserve *Reserve
	// NoAllocate leaves out fallocate(2), and the reserve with it, for files of known
	// size. Swift: disable_fallocate.
	NoAllocate bool
	// SyncEvery is after how many bytes a file that is being written is synced, so
	// that its end has not all of it to wait for. 0: 512 MiB. Swift: mb_per_sync.
	SyncEvery int64
}

// Reserve is a share of a disk: a percentage when Percent is not 0, else bytes.
type Reserve struct {
	Bytes   int64
	Percent float64
}

// keep is the reserve in force.
func (r WriteRules) keep() Reserve {
	if r.Reserve == nil {
		return Reserve{Percent: 1}
	}
	return *r.Reserve
}

const defaultSyncEvery = 512 << 20
