package bootstrap

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/mux"
	wire "understudy/internal/native"
	"understudy/internal/server"
	"understudy/internal/store"
	"understudy/internal/swift/ring"
	"understudy/internal/transport/breaker"
	"understudy/internal/transport/native"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

var (
	_ actors.Lane    = (*native.Lane)(nil)
	_ server.Digests = (*store.Store)(nil)
)

// newLane makes the engine's side of the native lane.
func newLane(cfg *config.Config, as replicate.Config, silent *breaker.Set, log zerolog.Logger) *native.Lane {
	return native.New(native.Config{
		ConnTimeout: cfg.ConnTimeout, HTTPTimeout: cfg.HTTPTimeout, UserAgent: as.UserAgent, Dial: as.Dial,
		Cluster: clusterOf(cfg), Ring: newRingVersions(cfg.SwiftDir).version, Now: time.Now, Log: log,
		Silent: func(n messages.Node) bool { return silent.Silent(breaker.Replicate, n) },
		Through: func(ctx context.Context, n messages.Node, call func(context.Context) error) error {
			return silent.Node(ctx, breaker.Replicate, n, call)
		},
	})
}

// guard puts the native lane before questions and pushes, so that nodes which must not
// work together do not.
func (p *parts) guard() {
	if p.lane == nil {
		return
	}
	p.deps.Lane = p.lane
	p.deps.Peers, p.deps.Transport = p.lane.Peers(p.deps.Peers), p.lane.Transport(p.deps.Transport)
	silent, lane := p.deps.Silent, p.lane
	p.deps.Silent = func() []messages.PeerState { return append(silent(), lane.Refusals()...) }
}

// streams are how sync sessions reach peers of ours: who they are, and a way to have
// many sessions on one connection, another one in each era. Nil: nobody is known,
// and each session has its own, made by wire if that is not nil.
func (p *parts) streams(wire dialer, era func() uint64, log zerolog.Logger) (ours func(address string) bool, dial dialer) {
	if p.lane == nil {
		return nil, wire
	}
	d := mux.NewDialer(mux.DialerConfig{Ours: p.lane.OursAt, Dial: wire, Era: era, Log: log})
	p.closers = append(p.closers, closing(d, (*mux.Dialer).Close))
	return p.lane.OursAt, d.DialContext
}

// ServerLane is what a server on these disks compares surveys with, or nil when the
// configuration does not want any.
func ServerLane(cfg *config.Config, disks *store.Store) *server.Lane {
	if !cfg.NativeLane {
		return nil
	}
	return &server.Lane{Store: disks, Cluster: clusterOf(cfg), Ring: newRingVersions(cfg.SwiftDir).version}
}

func clusterOf(cfg *config.Config) wire.Cluster {
	return wire.ClusterOf(cfg.Swift.HashPrefix, cfg.Swift.HashSuffix)
}

// ringVersions tells the versions of the rings as they are on disk at the moment. It
// reads a ring again only when its file is another one.
type ringVersions struct {
	dir string
	mu  sync.Mutex
	at  map[int]ringVersion // by policy
}

type ringVersion struct {
	stamp   ring.Stamp
	version uint64
}

func newRingVersions(dir string) *ringVersions {
	return &ringVersions{dir: dir, at: map[int]ringVersion{}}
}

// version is that of a policy's ring; 0 when the file carries none or cannot be read.
// Then nobody compares it.
func (r *ringVersions) version(policy int) uint64 {
	path := RingPath(r.dir, policy)
	stamp, err := ring.StampFile(path)
	if err != nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.at[policy]
	if ok && known.stamp == stamp {
		return known.version
	}
	loaded, err := ring.Load(path)
	if err != nil || loaded.Version() < 0 {
		return 0
	}
	r.at[policy] = ringVersion{stamp: loaded.Stamp(), version: uint64(loaded.Version())}
	return r.at[policy].version
}
