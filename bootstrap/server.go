package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/fault/network"
	"understudy/internal/server"
	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
)

// ServerSettings say what a Server is made of.
type ServerSettings struct {
	Config *config.Config  // of config.ServerSection
	Log    zerolog.Logger  // its writer must not block
	Store  *store.Store    // the disks; nil: those that Config names
	Faults *fault.Injector // what goes wrong on purpose; nil: nothing. A Store has its own
	Drain  time.Duration   // for requests at work when the server ends; 0 is 5s
}

// Server is the receiving side of one node: it answers peers.
type Server struct {
	cfg      *config.Config
	log      zerolog.Logger
	faults   *fault.Injector
	peers    *server.Server
	listener net.Listener
}

// NewServer makes a server. It does no I/O.
func NewServer(s ServerSettings) *Server {
	cfg, disks := s.Config, s.Store
	if disks == nil {
		disks = faultyStore(cfg, s.Faults, s.Log)
	}
	c := cfg.Server
	return &Server{cfg: cfg, log: s.Log, faults: s.Faults, peers: server.New(server.Config{
		Store: disks, Policies: replicated(cfg.Swift.Policies, s.Log), Log: s.Log, Version: Version(),
		NoReplication: !c.ReplicationServer, Ssync: receiving(cfg, disks), Lane: ServerLane(cfg, disks), Recon: told(cfg, s.Log),
		DisablePath: c.DisablePath, LogRequests: c.LogRequests,
		PassTo: server.PassTo{Address: c.PassTo, Dial: cfg.ConnTimeout},
		Limits: server.Limits{Connections: c.MaxClients, Header: c.ClientTimeout, Idle: c.ClientTimeout, Drain: s.Drain},
	})}
}

// receiving is what the receiver of SSYNC reads of the configuration.
func receiving(cfg *config.Config, disks *store.Store) server.Ssync {
	c, d, limits := cfg.Server, cfg.DiskFile, cfg.Server.Constraints
	return server.Ssync{
		Store: disks, Paths: hashpath.Hasher{Prefix: cfg.Swift.HashPrefix, Suffix: cfg.Swift.HashSuffix},
		Write: store.WriteRules{
			Reserve:    &store.Reserve{Bytes: d.FallocateReserve, Percent: d.FallocateReservePercent},
			NoAllocate: d.DisableFallocate, SyncEvery: int64(d.MBPerSync) << 20,
		},
		Concurrency: orOff(c.ReplicationConcurrency), PerDevice: orOff(d.ConcurrencyPerDevice), LockTimeout: orOff(d.ReplicationLockTimeout),
		FailureThreshold: orOff(c.FailureThreshold), FailureRatio: orOff(c.FailureRatio),
		ClientTimeout: c.ClientTimeout, NetworkChunkSize: cfg.NetworkChunkSize, MaxUploadTime: c.MaxUploadTime,
		Constraints: server.Constraints{
			MaxFileSize: limits.MaxFileSize, MaxMetaNameLength: limits.MaxMetaNameLength, MaxMetaValueLength: limits.MaxMetaValueLength,
			MaxMetaCount: limits.MaxMetaCount, MaxMetaOverallSize: limits.MaxMetaOverallSize,
			MaxHeaderSize: limits.MaxHeaderSize, MaxObjectNameLength: limits.MaxObjectNameLength,
		},
	}
}

// orOff writes a zero of the configuration as the server wants it.
func orOff[T int | float64 | time.Duration](n T) T {
	if n <= 0 {
		return server.Off
	}
	return n
}

// told is where the answers to swift-recon are. Its mount check is one whatever
// mount_check says, as in Swift.
func told(cfg *config.Config, log zerolog.Logger) server.Recon {
	mounts := store.New(store.Options{Root: cfg.Devices, MountCheck: true, Log: log})
	rings := []string{filepath.Join(cfg.SwiftDir, "account.ring.gz"), filepath.Join(cfg.SwiftDir, "container.ring.gz")}
	for p := range cfg.Swift.Policies.All() {
		rings = append(rings, RingPath(cfg.SwiftDir, p.Index))
	}
	return server.Recon{
		Devices: cfg.Devices, Cache: cfg.Server.ReconCachePath, Rings: rings, SwiftConf: cfg.Swift.Path, Mounted: mounts.Check,
	}
}

// Listen opens the server's address, with the rights that the process has.
func (s *Server) Listen(ctx context.Context) (err error) {
	s.listener, err = listen(ctx, s.cfg)
	return err
}

// Addr is where the server listens; nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve answers peers until ctx is done, and then lets what is at work end, for
// Settings.Drain or as long as the cause of ctx's end says. Its error is a listener
// that broke. It is called once.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("serve peers: nothing is listened on")
	}
	l := s.listener
	if FaultsBuilt {
		l = network.Listener(s.faults, l)
	}
	return s.peers.Serve(ctx, l)
}

// ServeOn is Serve on a listener of the caller's.
func (s *Server) ServeOn(ctx context.Context, l net.Listener) error {
	s.listener = l
	return s.Serve(ctx)
}

// Alive asks the server whether it works off its requests.
func (s *Server) Alive(ctx context.Context) error {
	if err := s.peers.Alive(ctx); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	return nil
}

// Reload takes the policies of another configuration: what is new there is served
// from the next request on. All else stays until a restart.
func (s *Server) Reload(cfg *config.Config) {
	s.peers.SetPolicies(replicated(cfg.Swift.Policies, s.log))
}

// DrainFor is a cause of a context's end which gives what is at work so long.
func DrainFor(d time.Duration) error { return server.DrainFor(d) }
