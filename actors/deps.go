package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/messages"
)

// Deps is everything the actors use of the world. Nothing else in this package
// reads a clock, draws a random number, opens a file, dials a peer, starts a
// process or starts a goroutine, so that the whole engine also runs in virtual
// time. All fields but the last are required.
type Deps struct {
	Clock     Clock
	Rand      Rand
	Go        func(func()) // runs blocking work somewhere else; must not block itself
	Placement Placement
	Store     Store
	Peers     Peers
	Transport Transport
	Recon     Recon
	Log       zerolog.Logger // its writer must not block

	// Middleware runs in every actor after the guard, for experiments that disturb
	// messages. It may be nil.
	Middleware []actor.ReceiverMiddleware
}

// Clock tells the time and calls back later. AfterFunc's function runs on a
// goroutine of the clock and must only send a message.
type Clock interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Rand is a source of random numbers, safe for concurrent use.
type Rand interface {
	IntN(n int) int
	Shuffle(n int, swap func(i, j int))
}

// Placement reads the rings. Poll returns a new View when a ring file changed
// since last (nil at first), or last itself when nothing did. A ring that cannot
// be read keeps its earlier snapshot and carries the error. Poll blocks on disk.
type Placement interface {
	Poll(ctx context.Context, last *messages.View) (*messages.View, error)
}

// Store is this node's disks. Every method blocks on disk and honours ctx only
// between system calls: a call may outlive its context on a dead disk.
type Store interface {
	// Check tells whether a device can be worked on: *messages.DeviceError if not.
	Check(ctx context.Context, device string) error
	// List reads a policy's partitions on a device, making the policy's directory
	// when it is missing and deleting old temporary files. It checks the device first.
	List(ctx context.Context, device string, policy int) (messages.Listing, error)
	// Hashes returns the suffix hashes of a partition after cleaning it. It checks
	// the device first. *messages.NotDirectoryError when the partition is a file.
	Hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error)
}

// Peers asks other nodes' object servers (REPLICATE).
type Peers interface {
	// Hashes returns a peer's suffix hashes of a partition: *messages.StatusError
	// for an answer other than 200, *messages.PeerError for no usable answer.
	Hashes(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error)
}

// Transport moves suffixes to a peer. Sync reports an ordinary failure in the
// result; an error means that the peer itself could not be spoken to, which in
// Swift ends the work with this node by an exception (*messages.PeerError).
type Transport interface {
	Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error)
}

// Recon writes the recon cache file that Swift's tools read. Update merges
// entries into it by Swift's rules (contract of the file: one line of JSON).
type Recon interface {
	Update(ctx context.Context, entries map[string]any) error
}
