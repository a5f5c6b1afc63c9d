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
// time. All fields but Lane, Admission and the last three are required.
type Deps struct {
	Clock     Clock
	Rand      Rand
	Go        func(func()) // runs a mailbox or blocking work on another goroutine, at once; must not block itself
	Placement Placement
	Store     Store
	Peers     Peers
	Transport Transport
	Lane      Lane                        // nil: every partition is asked for alone
	Admission Admission                   // nil: every push begins at once
	Silent    func() []messages.PeerState // the peers that do not answer; does not block
	Recon     Recon
	Cursors   Cursors
	Metrics   Metrics
	Log       zerolog.Logger // its writer must not block

	// Steer makes what is outside of the actors keep to a course: bytes, hashes, paused
	// peers. It must not block, and may be nil.
	Steer func(*messages.Course)

	// Mailbox makes the actors' mailboxes, for hosts that decide themselves which message is
	// handled next; the library's own when nil.
	Mailbox actor.MailboxProducer

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
	// Probe tells what a device is good for, by writing, syncing and reading a file
	// that has no name. It checks the device first: *messages.DeviceError. Any other
	// error is the disk's.
	Probe(ctx context.Context, device string) (messages.Disk, error)
	// Ill tells whether an error of this Store is an illness of the disk itself (EIO,
	// a damaged file system, a device that is gone) and not of one partition.
	Ill(err error) bool
	// List reads a policy's partitions on a device, making the policy's directory
	// when it is missing and deleting old temporary files. It checks the device first.
	// Each piece is handed to each as soon as it is read, which must not block; an
	// error may come after some pieces.
	List(ctx context.Context, device string, policy int, each func(messages.Listing)) error
	// Hashes returns the suffix hashes of a partition after cleaning it. It checks
	// the device first. *messages.NotDirectoryError when the partition is a file.
	Hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error)
	// Digests is Hashes for many partitions of a device, told as digests: each is
	// called after every one, with its place in asks, until it returns false. The error
	// is one of the device.
	Digests(ctx context.Context, device string, asks []messages.DigestAsk, each func(i int, r messages.DigestReport) bool) error
	// Hold takes a handoff partition for a revert job: it locks it against incoming
	// ssync and lists it. It checks the device first. ErrPartitionLocked when
	// somebody else holds it; *messages.NotDirectoryError when it is a file.
	Hold(ctx context.Context, p messages.Partition) (Hold, error)
	// Path is a partition's directory, for log lines.
	Path(p messages.Partition) string
}

// Hold is a locked handoff partition.
type Hold interface {
	// Manifest is what the partition held when it was locked.
	Manifest() messages.Manifest
	// Remove gives up files of the manifest, then the directories that are empty
	// after it; if nothing else is left, also the debris that the manifest saw and the
	// partition itself. It removes nothing that came after the listing, and nothing at all if
	// the lock was lost, the device is gone or something new has arrived. An object goes
	// whole or not at all, but for its metadata that is waiting. It blocks.
	Remove(ctx context.Context, files, waiting messages.Files) (messages.Removal, error)
	// Release gives the lock back. It may be called more than once, and blocks.
	Release()
}

// ErrPartitionLocked says that somebody else works on a partition.
var ErrPartitionLocked = messages.ErrPartitionLocked

// Peers asks other nodes' object servers (REPLICATE).
type Peers interface {
	// Hashes returns a peer's suffix hashes of a partition: *messages.StatusError
	// for an answer other than 200, *messages.PeerError for no usable answer.
	Hashes(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error)
}

// Lane compares many partitions at once with peers that run this program, too.
type Lane interface {
	// Any tells whether some peer is known to take surveys. It does not block.
	Any() bool
	// Ours tells whether a node does, and nothing speaks against asking it now. It does
	// not block.
	Ours(node messages.Node) bool
	// Survey asks nodes whether they have partitions as this node has them and returns
	// one answer for each ask: Unknown where a peer has not told. It blocks for a
	// bounded time.
	Survey(ctx context.Context, asks []messages.SurveyAsk) []messages.SurveyAnswer
}

// Admission asks the owners of the disks at both ends of a push whether it may begin.
type Admission interface {
	// Asks tells whether there is somebody to ask about a node. It does not block.
	Asks(node messages.Node) bool
	// Reserve asks: *messages.BusyError when the push has to wait; any other error says
	// that nobody knows, and the push begins. release, which may be nil, ends what was
	// granted; it may be called more than once and does not block. Reserve blocks for a
	// bounded time.
	Reserve(ctx context.Context, ask messages.PushAsk) (release func(), err error)
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
	// Keep deletes from the map under key all but the named entries.
	Keep(ctx context.Context, key string, names []string) error
}

// Cursors keep where each device stands in its pass over a restart of the process.
// All methods block on the disk of the recon cache.
type Cursors interface {
	// Load returns a device's cursor, nil when there is none.
	Load(ctx context.Context, device string) (*messages.Cursor, error)
	// Save replaces a device's cursor durably.
	Save(ctx context.Context, device string, cursor messages.Cursor) error
	// Clear forgets it: the pass has ended.
	Clear(ctx context.Context, device string) error
}

// Metrics sends statistics to a collector while they happen. Its methods must not
// block. Names are Swift's, without the prefix of the daemon.
type Metrics interface {
	Count(name string, n int)
	Timing(name string, d time.Duration)
}
