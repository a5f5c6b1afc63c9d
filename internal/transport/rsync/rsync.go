// Package rsync moves suffixes to a peer with rsync, as Swift's replicator does:
// one rsync process for each partition and peer, against the peer's rsync daemon,
// and afterwards a REPLICATE request that tells the peer what has changed.
//
// A Transport kills what it starts. Each rsync leads a process group of its own,
// which dies with its timeout, with the caller's context, with Close, and with
// this process, however it ends.
package rsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// DefaultModule is the module template when none is set.
const DefaultModule = "{replication_ip}::object"

// ErrClosed is the answer of a Transport that has been closed.
var ErrClosed = errors.New("rsync transport is closed")

// Config is what a Transport needs. Devices, Timeout, Suffixes and Peers are
// required.
type Config struct {
	Devices   string        // the directory above the devices, absolute
	Module    string        // template of the destination; DefaultModule when empty
	IOTimeout string        // seconds, for --timeout and --contimeout, passed as it is
	BWLimit   string        // KiB/s or with a unit, for --bwlimit, passed as it is
	Timeout   time.Duration // the life of one rsync
	Compress  bool          // compress towards other regions

	// NamesAreProof: rsync's exit status 0 proves that the target holds a file of
	// each name, and that is enough to give a handoff up, as in Swift. Otherwise
	// the sizes are compared, too.
	NamesAreProof bool

	// ReclaimAge is that of tombstones: a peer may drop what is older. 0: none.
	ReclaimAge time.Duration

	LogTransfers       bool // log rsync's lines about files it has sent
	ErrorLogLineLength int  // characters of a "Killing" or "Bad rsync" line; 0 is all

	// Suffixes returns the absolute paths of those suffix directories of a
	// partition that exist; none when the partition does not.
	Suffixes func(ctx context.Context, p messages.Partition, suffixes []string) ([]string, error)
	Peers    Peers
	// Begin waits until an rsync may begin to send from a device and tells its share of
	// the bandwidth, bytes a second, 0 for no bound; end is to be called with what it has
	// sent. Nil: at once, and no bound but BWLimit.
	Begin func(ctx context.Context, device string) (share int64, end func(sent int64), err error)
	Spawn Spawner // Processes when nil
	Clock Clock   // the wall clock when nil
	Log   zerolog.Logger
}

// Peers tells other nodes' object servers what has changed (REPLICATE).
type Peers interface {
	// Invalidate asks a peer to hash suffixes of a partition afresh. An answer of
	// any status is a success; an error means that there was none.
	Invalidate(ctx context.Context, node messages.Node, policy int, part uint32, suffixes []string) error
}

// Clock tells the time and calls back later, on a goroutine of its own.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Transport runs rsync. It is safe for concurrent use.
type Transport struct {
	cfg   Config
	stuck atomic.Int64

	mu     sync.Mutex
	live   map[Child]struct{} // not yet reaped
	closed chan struct{}
}

// New makes a Transport. A module template that cannot be used is an error of
// each Sync, not of New. Swift: obj/replicator.py ObjectReplicator.__init__
func New(cfg Config) (*Transport, error) {
	switch {
	case !filepath.IsAbs(cfg.Devices):
		return nil, fmt.Errorf("make rsync transport: devices directory %q is not absolute", cfg.Devices)
	case cfg.Timeout <= 0:
		return nil, fmt.Errorf("make rsync transport: timeout %s is not positive", cfg.Timeout)
	case cfg.Suffixes == nil:
		return nil, errors.New("make rsync transport: no way to find suffixes")
	case cfg.Peers == nil:
		return nil, errors.New("make rsync transport: no peers to notify")
	}
	cfg.Devices = filepath.Clean(cfg.Devices)
	if cfg.Module = strings.TrimRight(cfg.Module, "/"); cfg.Module == "" {
		cfg.Module = DefaultModule
	}
	if cfg.Spawn == nil {
		cfg.Spawn = Processes{}
	}
	if cfg.Clock == nil {
		cfg.Clock = wallClock{}
	}
	return &Transport{cfg: cfg, live: map[Child]struct{}{}, closed: make(chan struct{})}, nil
}

// Sync sends suffixes of a partition to one node and then notifies it: after a
// success, and after a failure too when the job is an update, for rsync may have
// written some files. A peer that cannot be notified is an error; so are names
// that have no place in a command line. Swift: obj/replicator.py rsync
func (t *Transport) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	failed := messages.SyncResult{}
	log := jobLog(t.cfg.Log, job)
	argv, err := t.argv(ctx, job)
	if err != nil {
		return failed, err
	}
	if argv == nil {
		log.Debug().Strs("suffixes", job.Suffixes).Msg("no suffix left to sync")
		return failed, nil
	}
	end, err := t.push(ctx, log, job, argv)
	if err != nil {
		return failed, err
	}
	failed.Silence = end.silence()
	if end.code == 0 || !job.Handoff {
		err := t.cfg.Peers.Invalidate(ctx, job.Node, job.Partition.Policy, job.Partition.Number, job.Suffixes)
		if err != nil {
			return failed, err
		}
	}
	if end.code != 0 {
		return failed, nil
	}
	result := messages.SyncResult{OK: true}
	if job.Handoff {
		// After the peer has been told, and never before: if it is about to give up the
		// same partition to us, it finds its hashes.invalid grown and keeps what we take
		// for proven. The other way round both copies could go.
		result.Proven, err = t.prove(ctx, log, job, argv)
	}
	return result, err
}

// Stuck is the number of killed rsyncs that have not ended: they hang in the
// kernel, and nobody waits for them any more.
func (t *Transport) Stuck() int { return int(t.stuck.Load()) }

// closeWait is how long Close waits for the end of what it has killed.
const closeWait = time.Second

// Close kills every rsync that runs and refuses new ones; their Sync calls return
// ErrClosed. It gives them a moment to end: the group of one that is just being
// started can only be killed once its number is known, and after the end of this
// process nobody would do it. One that hangs in the kernel is left.
func (t *Transport) Close() {
	limit := time.NewTimer(closeWait)
	defer limit.Stop()
	for _, c := range t.shut() {
		select {
		case <-c.Done():
		case <-limit.C:
			return
		}
	}
}

// shut refuses new children, kills those that live and returns them.
func (t *Transport) shut() []Child {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.closed:
	default:
		close(t.closed)
	}
	for c := range t.live {
		c.Kill()
	}
	return slices.Collect(maps.Keys(t.live))
}

func jobLog(log zerolog.Logger, job messages.SyncJob) zerolog.Logger {
	kind := messages.Update
	if job.Handoff {
		kind = messages.Revert
	}
	return log.With().Str("device", job.Partition.Device).Int("policy", job.Partition.Policy).
		Uint32("partition", job.Partition.Number).Stringer("peer", job.Node).Stringer("job", kind).Logger()
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
