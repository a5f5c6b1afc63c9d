// Package ssync moves objects to a peer by SSYNC, as Swift's replicator does with
// sync_method = ssync: one request to the peer's object server for each partition,
// in which objects are offered, and those parts that the peer lacks are sent.
//
// It speaks HTTP/1.1 itself: net/http cannot wait for a response before the body
// of its request, nor hand a body to the kernel between chunks of its own.
package ssync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/rs/zerolog"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// Config is what a Transport needs. All but LineLimit and Dial are required.
type Config struct {
	ConnTimeout time.Duration // connecting and sending the request's head
	NodeTimeout time.Duration // the response's head, and each piece that is sent
	HTTPTimeout time.Duration // each line of the response
	LineLimit   int           // bytes of a line of the response; 65536 when 0

	// Open gives access to the objects of a job's partition. fs.ErrNotExist when there
	// is no such partition; *messages.DeviceError and others when it cannot be used.
	Open func(ctx context.Context, job messages.SyncJob) (Objects, error)
	// Ours tells whether the peer at an address is known to run this program: it is then
	// asked to acknowledge each object. Nil: nobody is. It must not block.
	Ours func(address string) bool
	// Dial connects; a net.Dialer's DialContext when nil. Only a *net.TCPConn spares
	// large bodies the way through this process.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Wait waits until n more bytes of bodies may be sent from a device. Nil: at once.
	Wait func(ctx context.Context, device string, n int) error
	Log  zerolog.Logger
}

// Objects are the objects of one partition, open for one sync and used by one
// goroutine.
type Objects interface {
	// Suffixes returns those of some suffixes that exist.
	Suffixes(ctx context.Context, suffixes []string) ([]string, error)
	// Each calls f with every object of a suffix after cleaning it up; an error of f
	// ends the walk. What could not be listed is an error after the others.
	Each(ctx context.Context, suffix string, f func(wire.Entry) error) error
	// Open opens an object. fs.ErrNotExist when there is none, or when it was found
	// corrupt and put away; any other error when it could not be read.
	Open(ctx context.Context, hash string) (*wire.Object, error)
	// Verify reads an object's body and puts the object away when that is corrupt,
	// which is an error with fs.ErrNotExist.
	Verify(ctx context.Context, hash string) error
	Close()
}

// Transport syncs by SSYNC. It is safe for concurrent use and holds nothing
// between two syncs.
type Transport struct{ cfg Config }

// New makes a Transport.
func New(cfg Config) (*Transport, error) {
	switch {
	case cfg.ConnTimeout <= 0, cfg.NodeTimeout <= 0, cfg.HTTPTimeout <= 0:
		return nil, fmt.Errorf("make ssync transport: timeouts %s, %s, %s are not all positive",
			cfg.ConnTimeout, cfg.NodeTimeout, cfg.HTTPTimeout)
	case cfg.LineLimit < 0:
		return nil, fmt.Errorf("make ssync transport: line limit %d is negative", cfg.LineLimit)
	case cfg.Open == nil:
		return nil, errors.New("make ssync transport: no way to open objects")
	}
	if cfg.LineLimit == 0 {
		cfg.LineLimit = 65536
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{KeepAlive: -1}).DialContext // every exchange has a deadline
	}
	return &Transport{cfg: cfg}, nil
}

// Sync offers the objects of a job's suffixes to a node and sends what it lacks;
// with CheckOnly it offers only those objects and sends nothing. Only a done ctx is
// an error: everything else is an ordinary failure, and logged in Swift's words.
// Swift: obj/ssync_sender.py Sender.
//
// Unlike Swift: a job none of whose suffixes exists is no success. And an object
// that the node wants and that cannot be sent is never proven, and fails a revert.
func (t *Transport) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	if err := ctx.Err(); err != nil {
		return messages.SyncResult{}, err
	}
	if len(job.Suffixes) == 0 {
		return messages.SyncResult{OK: true}, nil
	}
	log := jobLog(t.cfg.Log, job)
	result, err := t.sync(ctx, log, job)
	if ctx.Err() != nil {
		return messages.SyncResult{}, ctx.Err()
	}
	if err != nil {
		log.Error().Bool("swift", true).Msg(fmt.Sprintf("%s/%d ", job.Node, job.Partition.Number) + inSwiftsWords(err))
		return messages.SyncResult{Silence: result.Silence}, nil
	}
	return result, nil
}

// sync does a sync. With an error its result tells only of the peer's silence.
func (t *Transport) sync(ctx context.Context, log zerolog.Logger, job messages.SyncJob) (messages.SyncResult, error) {
	if err := checkJob(job); err != nil {
		return messages.SyncResult{}, err
	}
	job.Suffixes = wanted(job)
	objects, err := t.cfg.Open(ctx, job)
	var found []string
	if err == nil {
		defer objects.Close()
		found, err = objects.Suffixes(ctx, job.Suffixes)
	}
	var device *messages.DeviceError // which can have a missing mount point as its cause
	if err != nil && (errors.As(err, &device) || !errors.Is(err, fs.ErrNotExist)) {
		return messages.SyncResult{}, err
	}
	if len(found) == 0 {
		log.Debug().Strs("suffixes", job.Suffixes).Msg("no suffix left to sync")
		return messages.SyncResult{}, nil
	}
	s := &session{cfg: t.cfg, log: log, job: job, objects: objects}
	err = s.run(ctx)
	if s.offsetsRefused(err) {
		log.Debug().Err(err).Msg("peer reads no timestamp offsets: offering without them")
		s = &session{cfg: t.cfg, log: log, job: job, objects: objects, plain: true}
		err = s.run(ctx)
	}
	if err != nil {
		s.suspect(ctx, err)
		return messages.SyncResult{Silence: s.silence(err)}, err
	}
	if quiet, err := s.doubt(ctx); err != nil {
		return messages.SyncResult{Silence: quiet}, err
	}
	return s.result(), nil
}

// wanted are the suffixes to go through. In a revert job those without an object
// are left out: looking into an empty one notes it in hashes.invalid, and such a
// note keeps the handoff, pass after pass.
func wanted(job messages.SyncJob) []string {
	if !job.Handoff || job.Held == nil {
		return job.Suffixes
	}
	held := map[string]bool{}
	for hash := range job.Held {
		held[hash[max(0, len(hash)-3):]] = true
	}
	var suffixes []string
	for _, s := range job.Suffixes {
		if held[s] {
			suffixes = append(suffixes, s)
		}
	}
	return suffixes
}

// checkJob refuses names that would make another request of ours, or another file.
func checkJob(job messages.SyncJob) error {
	if !plainName(job.Node.Device) {
		return fmt.Errorf("target device %q is no name for a request", job.Node.Device)
	}
	if job.Partition.Policy < 0 {
		return fmt.Errorf("policy index %d is negative", job.Partition.Policy)
	}
	return nil
}

// plainName lets through what needs no quoting in a URL; Swift replicates no device
// with another name. Swift: common/constraints.py check_drive.
func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '_' && c != '.' && c != '-' && c != '~' {
			return false
		}
	}
	return name != "" && name != "." && name != ".."
}

func jobLog(log zerolog.Logger, job messages.SyncJob) zerolog.Logger {
	kind := messages.Update
	if job.Handoff {
		kind = messages.Revert
	}
	return log.With().Str("device", job.Partition.Device).Int("policy", job.Partition.Policy).
		Uint32("partition", job.Partition.Number).Stringer("peer", job.Node).Stringer("job", kind).Logger()
}
