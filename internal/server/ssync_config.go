package server

import (
	"time"

	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
)

// Ssync is what a receiver of SSYNC has to know. Without a Store there is no such
// verb. For the rest zero stands for Swift's default, and where zero itself means
// something to Swift, Off stands for it. The names of the options are those of
// [app:object-server].
type Ssync struct {
	Store *store.Store     // where objects are written
	Paths hashpath.Hasher  // the secrets of swift.conf
	Write store.WriteRules // fallocate_reserve, disable_fallocate, mb_per_sync

	Concurrency       int           // replication_concurrency; 4; Off: no limit
	PerDevice         int           // replication_concurrency_per_device; 1; Off: no limit
	LockTimeout       time.Duration // replication_lock_timeout; 15s; Off: no waiting
	FailureThreshold  int           // replication_failure_threshold; 100; Off: 0
	FailureRatio      float64       // replication_failure_ratio; 1.0; Off: 0
	ClientTimeout     time.Duration // client_timeout, for each line or block; 60s
	NetworkChunkSize  int           // network_chunk_size, bytes of a line or block; 65536
	MaxUploadTime     time.Duration // max_upload_time, of one object; 24h
	Constraints       Constraints   // [swift-constraints] of swift.conf
	DiskTimeout       time.Duration // for one call of a disk, after that it hangs; 2m. Not an option of Swift's
	WantLimit         int           // objects that all sessions together may want; 16 Mi of 17 bytes. Not an option of Swift's
	SessionsPerDevice int           // at work, waiting for a lock or stuck; 8, twice PerDevice, or 64 when that is Off. Not an option of Swift's
}

// Off is how a zero is written where zero stands for the default.
const Off = -1

// Constraints bound the headers of objects. Zero stands for Swift's default.
// Swift: common/constraints.py.
type Constraints struct {
	MaxFileSize         int64 // bytes; 5368709122
	MaxMetaNameLength   int   // 128
	MaxMetaValueLength  int   // 256
	MaxMetaCount        int   // 90
	MaxMetaOverallSize  int   // bytes of names and values; 4096
	MaxHeaderSize       int   // bytes of one value; 8192
	MaxObjectNameLength int   // 1024
}

func (c Constraints) withDefaults() Constraints {
	number(&c.MaxFileSize, 5368709122)
	number(&c.MaxMetaNameLength, 128)
	number(&c.MaxMetaValueLength, 256)
	number(&c.MaxMetaCount, 90)
	number(&c.MaxMetaOverallSize, 4096)
	number(&c.MaxHeaderSize, 8192)
	number(&c.MaxObjectNameLength, 1024)
	return c
}

func (c Ssync) withDefaults() Ssync {
	number(&c.ClientTimeout, 60*time.Second)
	number(&c.NetworkChunkSize, 65536)
	number(&c.MaxUploadTime, 24*time.Hour)
	number(&c.DiskTimeout, 2*time.Minute)
	number(&c.WantLimit, 16<<20)
	orOff(&c.Concurrency, 4)
	orOff(&c.PerDevice, 1)
	if c.PerDevice == 0 { // who wants no limit is only kept from what a disk that hangs would gather
		number(&c.SessionsPerDevice, 64)
	}
	number(&c.SessionsPerDevice, max(8, 2*c.PerDevice))
	orOff(&c.LockTimeout, 15*time.Second)
	orOff(&c.FailureThreshold, 100)
	orOff(&c.FailureRatio, 1)
	c.Constraints = c.Constraints.withDefaults()
	return c
}

// orOff puts the default for zero, and zero for Off.
func orOff[T int | float64 | time.Duration](n *T, value T) {
	switch {
	case *n == 0:
		*n = value
	case *n < 0:
		*n = 0
	}
}
