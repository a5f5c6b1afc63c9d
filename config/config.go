// Package config reads Swift's own configuration, object-server.conf and
// swift.conf, into one typed value.
//
// A Config is made by Load and never changed afterwards: share it freely, change
// nothing in it. What an option means, its default and what this version makes
// of it are in one table (options.go), which also writes docs/config.md.
package config

import (
	"time"

	"understudy/internal/swift/policy"
)

// The sections of object-server.conf that can be loaded.
const (
	ReplicatorSection = "object-replicator"
	ServerSection     = "app:object-server"
)

// DefaultSwiftConf is where Swift's daemons look for swift.conf. It does not
// follow swift_dir.
const DefaultSwiftConf = "/etc/swift/swift.conf"

// Options say what to load.
type Options struct {
	SwiftConf string // path of swift.conf; DefaultSwiftConf when empty
	Section   string // ReplicatorSection when empty

	within *Config // of the replicator for whose Serving this is
}

// Config is every setting of one node. Durations are never negative.
type Config struct {
	Path    string // of the file or folder, as given to Load
	Section string

	Devices        string // directory that holds the devices
	MountCheck     bool
	SwiftDir       string // directory of the rings
	BindIP         string
	RingIP         string // address that makes a ring device local; BindIP unless set
	BindPort       int    // replication port of local devices; 0 when ServersPerPort is set
	ServersPerPort int    // not 0: the port does not matter for what is local
	User           string // to run as when started by root

	Concurrency          int // jobs at a time per worker, at least 1
	ReplicatorWorkers    int // at least 0; see JobSlots
	Daemonize            bool
	Interval             time.Duration // rest between two passes
	StatsInterval        time.Duration
	RingCheckInterval    time.Duration
	LockupTimeout        time.Duration // a call that takes longer is written off; more than 0
	DeviceConcurrency    int           // jobs at a time on one disk; 0 is "auto"
	ProbeInterval        time.Duration // between two probes of a disk; more than 0
	ProbeTimeout         time.Duration // after which a disk is stalled; more than 0
	DeviceErrorLimit     int           // ill jobs in a row that make a disk failing; at least 1
	HandoffsFirst        bool
	HandoffDelete        int    // 0 is "auto"
	HandoffProof         string // "names" or "size"
	HandoffSettle        time.Duration
	BytesPerSecond       int     // pushed by the node; 0 is no bound, as of those that follow
	DeviceBytesPerSecond int     // pushed from one disk
	HashesPerSecond      float64 // suffixes hashed by the node
	Tranquility          float64 // rest after a job, in durations of that job
	ReconCachePath       string
	NativeLane           bool   // compare many partitions at once with peers of ours, and let them
	AdmissionSocket      string // path of the socket of the agent that admits pushes; empty: none is asked

	SyncMethod       string // "rsync" or "ssync"
	Rsync            Rsync
	ConnTimeout      time.Duration
	NodeTimeout      time.Duration
	HTTPTimeout      time.Duration
	NetworkChunkSize int // bytes

	Control Control // where operators see and steer the engine
	// FaultsAllowed lets a fault plan make things go wrong on purpose.
	FaultsAllowed bool

	Log      Log
	Statsd   Statsd
	Priority Priority
	DiskFile DiskFile
	Server   Server // only when Section is ServerSection
	Swift    Swift

	// ServePeers has the replicator answer peers itself, by what Serving says: the
	// file's ServerSection with this Config's addresses, devices and log. Else nil.
	ServePeers bool
	Serving    *Config

	// Warnings are what start-up should log, in order: Swift's own words where
	// Swift warns too.
	Warnings []string

	values []Value
}

// Rsync is how rsync is called. IOTimeout and BWLimit are handed to it as they
// were written.
type Rsync struct {
	Timeout            time.Duration // of one process
	IOTimeout          string        // --timeout and --contimeout
	BWLimit            string        // --bwlimit
	Compress           bool          // --compress towards other regions
	Module             string        // template of the destination, never empty, no slash at its end
	LogTransfers       bool
	ErrorLogLineLength int // characters; 0 is no limit
}

// Log is where log lines go and how they look.
type Log struct {
	Name          string // Swift's "server" field
	Format        string // "syslog", "json" or "console"
	Level         string // DEBUG, INFO, WARNING, ERROR or CRITICAL
	Facility      string // name of a syslog facility, as LOG_LOCAL0
	Address       string // socket of the syslog daemon
	UDPHost       string // when set, used instead of Address
	UDPPort       int
	MaxLineLength int // characters; 0 is no limit
}

// Statsd is where statistics are sent. Nothing is sent when Host is empty.
type Statsd struct {
	Host         string
	Port         int
	DefaultRate  float64
	RateFactor   float64
	MetricPrefix string
	EmitLegacy   bool
}

// Priority is the process's share of the machine. Nice and IO are nil when they
// are to be left alone.
type Priority struct {
	Nice *int
	IO   *IOPriority
}

// IOPriority is what ioprio_set(2) is told.
type IOPriority struct {
	Class int // 1 real time, 2 best effort, 3 idle
	Level int
}

// DiskFile is how objects are kept on disk. Swift: obj/diskfile.py
// BaseDiskFileManager.__init__.
type DiskFile struct {
	ReclaimAge              time.Duration
	CommitWindow            time.Duration
	ConcurrencyPerDevice    int // incoming SSYNC requests per device; 0 is no limit
	ReplicationLockTimeout  time.Duration
	ChunkSize               int // bytes
	KeepCacheSize           int // bytes
	MBPerSync               int // MiB
	Splice                  bool
	DisableFallocate        bool
	FallocateReserve        int64   // bytes, when FallocateReservePercent is 0
	FallocateReservePercent float64 // of the disk
}

// Server is what only the receiving side reads. Swift: obj/server.py setup,
// common/wsgi.py get_socket and run_server.
type Server struct {
	BindTimeout time.Duration // to wait for an address that is in use
	Backlog     int
	KeepIdle    time.Duration // silence after which TCP probes a connection
	MaxClients  int           // connections at a time
	LogRequests bool
	PassTo      string // address:port of who serves what we do not, or empty

	ReconCachePath string // of [filter:recon]
	DisablePath    string // of [filter:healthcheck]; empty is none

	ReplicationServer      bool
	ReplicationConcurrency int // 0 is no limit
	FailureThreshold       int
	FailureRatio           float64
	ClientTimeout          time.Duration
	ContainerUpdateTimeout time.Duration
	MaxUploadTime          time.Duration
	AllowedHeaders         []string // lower case
	Constraints            Constraints
}

// Constraints are the limits of swift.conf. Swift: common/constraints.py.
type Constraints struct {
	MaxFileSize         int64
	MaxMetaNameLength   int
	MaxMetaValueLength  int
	MaxMetaCount        int
	MaxMetaOverallSize  int
	MaxHeaderSize       int
	MaxObjectNameLength int
	ExtraHeaderCount    int
}

// MaxHeaderCount is the number of headers that a request may have.
func (c Constraints) MaxHeaderCount() int { return c.MaxMetaCount + 36 + max(c.ExtraHeaderCount, 0) }

// Swift is what swift.conf says to every daemon of the cluster.
type Swift struct {
	Path       string
	HashPrefix []byte // a secret of the cluster, as is HashSuffix
	HashSuffix []byte
	Policies   *policy.Set
}

// JobSlots is how many jobs may run at once on this node: concurrency for each
// worker process that Swift would have started.
func (c *Config) JobSlots() int { return c.Concurrency * max(1, c.ReplicatorWorkers) }

// Values are the effective values of all options of the section, in the order of
// the table, with where each came from.
func (c *Config) Values() []Value { return append([]Value(nil), c.values...) }
