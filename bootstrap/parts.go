package bootstrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/observe/cursor"
	"understudy/internal/observe/recon"
	"understudy/internal/observe/statsd"
	"understudy/internal/pushes"
	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/policy"
	"understudy/internal/swift/ring"
	"understudy/internal/transport/breaker"
	"understudy/internal/transport/native"
	"understudy/internal/transport/replicate"
	"understudy/internal/transport/rsync"
	"understudy/internal/transport/ssync"
	"understudy/messages"
)

// parts are what an engine is made of by one configuration.
type parts struct {
	cfg       *config.Config
	silent    *breaker.Set
	deps      actors.Deps
	opts      actors.Options
	view      *messages.View // the rings at first sight
	placement *Placement
	peers     *replicate.Client
	lane      *native.Lane // nil: native_lane = no
	disks     *store.Store
	stats     *statsd.Client // nil: none
	closers   []closer
}

// retire makes parts that others have taken the place of let go of what they keep
// for later. Jobs that still use them go on.
func (p *parts) retire(next *parts) {
	p.peers.Close()
	if p.lane != nil {
		p.lane.Close()
	}
	if p.stats != nil && p.stats != next.stats {
		p.stats.Close()
	}
}

func (p *parts) close() {
	for _, c := range p.closers {
		c.end()
	}
}

// assemble makes the parts that a configuration asks for and reads the rings, with
// the reader of those that are in use, if it does. before may be nil.
func (e *Engine) assemble(cfg *config.Config, before *parts) (*parts, error) {
	places := PlacementConfig{
		SwiftDir: cfg.SwiftDir, Policies: replicated(cfg.Swift.Policies, e.log), RingIP: cfg.RingIP, BindIP: cfg.BindIP,
		BindPort: cfg.BindPort, ServersPerPort: cfg.ServersPerPort, Log: e.log,
	}
	placement := NewPlacement(places)
	if before != nil && before.placement.serves(places) {
		placement = before.placement
	}
	ips, err := ring.MyIPs(cfg.RingIP)
	if err != nil {
		return nil, fmt.Errorf("find the addresses of this node: %w", err)
	}
	p := &parts{cfg: cfg, placement: placement}
	own := e.settings.Parts
	var rings actors.Placement = placement
	replace(&rings, own.Placement)
	if p.view, err = firstView(rings); err != nil {
		return nil, err
	}
	disks := e.disks(cfg)
	p.disks = disks
	silent := breaker.New(breaker.Config{Clock: wallClock{}, Rand: globalRand{}, Log: e.log})
	p.silent = silent
	questions := replicate.Config{ConnTimeout: cfg.ConnTimeout, HTTPTimeout: cfg.HTTPTimeout, UserAgent: "object-replicator " + strconv.Itoa(os.Getpid())}
	questions.Dial = answers(e.faults(), e.wire())
	if cfg.NativeLane && own.lane() {
		p.lane = newLane(cfg, questions, silent, e.log)
		p.closers = append(p.closers, closing(p.lane, (*native.Lane).Close))
		questions.Heard = p.lane.Heard
	}
	p.peers = replicate.New(questions)
	// A thread that hangs keeps the process and its files: locks must not wait for it.
	p.closers = append(p.closers, closing(p.peers, (*replicate.Client).Close), closing(disks, func(s *store.Store) { s.ReleaseLocks() }))
	transport, err := own.Transport, error(nil)
	if transport == nil {
		transport, err = p.transport(cfg, disks, e)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	var peers actors.Peers = p.peers
	replace(&peers, own.Peers)
	p.deps = actors.Deps{
		Clock: wallClock{}, Rand: globalRand{}, Go: e.crew.Go,
		Placement: placement, Store: localDisks{disks, e.bounds.turn}, Peers: silent.Peers(peers),
		Transport: silent.Transport(transport, lane(cfg)), Silent: silent.States,
		Recon: recon.New(cfg.ReconCachePath), Cursors: cursorsIn(cfg), Metrics: p.metrics(cfg, before, e.log), Log: e.log,
		Steer: func(c *messages.Course) { e.follows(c, silent) },
	}
	if cfg.AdmissionSocket != "" {
		p.deps.Admission = pushes.NewClient(cfg.AdmissionSocket, e.log)
	}
	own.into(&p.deps)
	e.sight.Store(p.view)
	p.deps.Placement = sighted{p.deps.Placement, &e.sight}
	e.disturb(&p.deps)
	p.guard()
	p.opts = e.options(cfg, p.view, ips)
	return p, nil
}

// follows makes what is outside of the actors keep to a course, which a supervisor that is
// born again begins with.
func (e *Engine) follows(c *messages.Course, silent *breaker.Set) {
	e.mu.Lock()
	e.course = c
	e.mu.Unlock()
	e.bounds.keepTo(c, silent)
}

// lane names the server that pushes go to: with ssync that of the questions.
func lane(cfg *config.Config) string {
	if cfg.SyncMethod == "ssync" {
		return breaker.Replicate
	}
	return breaker.Sync
}

// cursorDir is the folder of the cursors in that of the recon cache.
const cursorDir = "understudy"

func cursorsIn(cfg *config.Config) actors.Cursors {
	return cursor.New(filepath.Join(cfg.ReconCachePath, cursorDir))
}

func (e *Engine) options(cfg *config.Config, view *messages.View, ips []string) actors.Options {
	return actors.Options{
		Slots: cfg.JobSlots(), DeviceSlots: cfg.DeviceConcurrency, Interval: cfg.Interval, StatsInterval: cfg.StatsInterval,
		RingCheckInterval: cfg.RingCheckInterval, CallTimeout: cfg.LockupTimeout,
		ProbeInterval: cfg.ProbeInterval, ProbeTimeout: cfg.ProbeTimeout, ErrorLimit: cfg.DeviceErrorLimit,
		HandoffDelete: handoffDelete(cfg, view, e.log), HandoffsFirst: cfg.HandoffsFirst, HandoffSettle: cfg.HandoffSettle,
		CheckRemote: cfg.SyncMethod == "ssync",
		Once:        e.settings.Once, PerDisk: cfg.ReplicatorWorkers > 0, Only: e.settings.Only, IPs: ips, Port: ringPort(cfg), Ready: e.stands,
		Bytes: int64(cfg.BytesPerSecond), DeviceBytes: int64(cfg.DeviceBytesPerSecond), Hashes: cfg.HashesPerSecond, Tranquility: cfg.Tranquility,
	}
}

// replicated are the policies that this engine replicates, in swift.conf order.
// Others are never touched.
func replicated(set *policy.Set, log zerolog.Logger) (out []messages.Policy) {
	ours, refused := set.Replicated()
	for _, err := range refused {
		log.Error().Err(err).Msg("policy is not replicated")
	}
	for _, p := range ours {
		out = append(out, messages.Policy{Index: p.Index, Name: p.Name})
	}
	return out
}

func ringPort(cfg *config.Config) int {
	if cfg.ServersPerPort != 0 {
		return 0
	}
	return cfg.BindPort
}

func firstView(p actors.Placement) (*messages.View, error) {
	view, err := p.Poll(context.Background(), nil)
	switch {
	case err != nil:
		return nil, err
	case view == nil:
		return nil, errors.New("read the rings: the placement has no view")
	}
	if len(view.Policies) > 0 && view.Policies[0].Ring == nil {
		return nil, view.Policies[0].Err
	}
	return view, nil
}

func storeOptions(cfg *config.Config, log zerolog.Logger) store.Options {
	return store.Options{Root: cfg.Devices, FS: disksOf(cfg), MountCheck: cfg.MountCheck, ReclaimAge: cfg.DiskFile.ReclaimAge, Log: log}
}

var _ actors.Store = localDisks{}

// localDisks are a store as the actors know it.
type localDisks struct {
	*store.Store
	turn func(context.Context) error // waits for the next suffix to be hashed
}

// Hashes implements actors.Store.
func (d localDisks) Hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
	return d.Store.Hashes(store.WithPace(ctx, d.turn), p, o)
}

// Digests implements actors.Store.
func (d localDisks) Digests(
	ctx context.Context, device string, asks []messages.DigestAsk, each func(int, messages.DigestReport) bool,
) error {
	return d.Store.Digests(store.WithPace(ctx, d.turn), device, asks, each)
}

// Hold implements actors.Store.
func (d localDisks) Hold(ctx context.Context, p messages.Partition) (actors.Hold, error) {
	hold, err := d.Store.Hold(ctx, p)
	if err != nil {
		return nil, err // not a nil *store.Handoff in an interface
	}
	return hold, nil
}

// transport is what sync_method names.
func (p *parts) transport(cfg *config.Config, disks *store.Store, e *Engine) (actors.Transport, error) {
	limits, log := e.bounds, e.log
	if cfg.SyncMethod == "ssync" {
		paths := hashpath.Hasher{Prefix: cfg.Swift.HashPrefix, Suffix: cfg.Swift.HashSuffix}
		ours, dial := p.streams(e.wire(), e.faults().Era, log)
		return ssync.New(ssync.Config{
			Ours: ours, Dial: answers(e.faults(), dial), ConnTimeout: cfg.ConnTimeout, NodeTimeout: cfg.NodeTimeout, HTTPTimeout: cfg.HTTPTimeout,
			LineLimit: cfg.NetworkChunkSize, Log: log, Wait: limits.pace.Wait,
			Open: func(ctx context.Context, job messages.SyncJob) (ssync.Objects, error) {
				open := disks.OpenObjects
				if job.Handoff {
					open = disks.OpenHeld
				}
				objects, err := open(ctx, job.Partition, paths)
				if err != nil {
					return nil, err
				}
				return objects, nil
			},
		})
	}
	t, err := rsync.New(rsync.Config{
		Devices: cfg.Devices, Module: cfg.Rsync.Module, IOTimeout: cfg.Rsync.IOTimeout, BWLimit: cfg.Rsync.BWLimit,
		ReclaimAge: cfg.DiskFile.ReclaimAge, Timeout: cfg.Rsync.Timeout, Compress: cfg.Rsync.Compress, LogTransfers: cfg.Rsync.LogTransfers,
		ErrorLogLineLength: cfg.Rsync.ErrorLogLineLength, NamesAreProof: cfg.HandoffProof == "names",
		Suffixes: disks.SuffixDirs, Peers: p.peers, Log: log, Begin: limits.begin,
		Spawn: starts(cmp.Or(e.faults(), points()), rsync.Processes{Thread: e.thread}),
	})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, closing(t, (*rsync.Transport).Close))
	return t, nil
}

// metrics sends statistics to a statsd server, if one is configured: with the client that
// is in use, if it is the same server.
func (p *parts) metrics(cfg *config.Config, before *parts, log zerolog.Logger) actors.Metrics {
	if cfg.Statsd.Host == "" || !cfg.Statsd.EmitLegacy {
		return statsd.None{}
	}
	if before != nil && before.stats != nil && before.cfg.Statsd == cfg.Statsd && before.cfg.Log.Name == cfg.Log.Name {
		p.stats = before.stats
		return p.stats
	}
	p.stats = statsd.New(statsd.Config{
		Host: cfg.Statsd.Host, Port: cfg.Statsd.Port, BasePrefix: cfg.Statsd.MetricPrefix, TailPrefix: cfg.Log.Name,
		DefaultRate: cfg.Statsd.DefaultRate, RateFactor: cfg.Statsd.RateFactor, Log: log,
	})
	p.closers = append(p.closers, closing(p.stats, (*statsd.Client).Close))
	return p.stats
}

// handoffDelete is the option of that name, or 0 where it would have no effect.
// Swift: obj/replicator.py ObjectReplicator.__init__.
func handoffDelete(cfg *config.Config, view *messages.View, log zerolog.Logger) int {
	if cfg.HandoffDelete == 0 {
		return 0
	}
	for _, p := range view.Policies {
		if p.Ring != nil && p.Ring.Replicas() > float64(cfg.HandoffDelete) {
			return cfg.HandoffDelete
		}
	}
	log.Warn().Bool("swift", true).Msgf("No storage policies found for which handoff_delete=%d would have an effect. Disabling.", cfg.HandoffDelete)
	return 0
}
