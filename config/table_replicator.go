package config

const (
	maxPort   = 65535
	maxJobs   = 1 << 16
	maxBuffer = 1 << 30 // bytes
)

// Swift: obj/replicator.py ObjectReplicator.__init__, common/daemon.py run_daemon.

var nodeOptions = []Option{
	{
		Name: "devices", Group: "The node", Scope: Both, Kind: Path, Default: "/srv/node",
		Meaning: "Directory that holds the devices, one directory each.",
		field:   func(c *Config) any { return &c.Devices },
	},
	{
		Name: "mount_check", Group: "The node", Scope: Both, Kind: Bool, Default: "true",
		Meaning: "A device must be a mount point.",
		field:   func(c *Config) any { return &c.MountCheck },
	},
	{
		Name: "swift_dir", Group: "The node", Scope: Both, Kind: Path, Default: "/etc/swift",
		Meaning: "Directory of the ring files. swift.conf is not looked for here.",
		field:   func(c *Config) any { return &c.SwiftDir },
	},
	{
		Name: "bind_ip", Group: "The node", Scope: Both, Kind: Text, Default: "0.0.0.0",
		Meaning: "Tells which devices of the ring are local, unless ring_ip is set; 0.0.0.0 is every address of the machine. A server listens on it.",
		field:   func(c *Config) any { return &c.BindIP },
	},
	{
		Name: "ring_ip", Group: "The node", Scope: Both, Kind: Text, Unset: "bind_ip",
		Meaning: "Tells which devices of the ring are local, in place of bind_ip.",
		field:   func(c *Config) any { return &c.RingIP },
	},
	{
		Name: "servers_per_port", Group: "The node", Scope: Both, Kind: Int, Default: "0", emptyIsDefault: true,
		Meaning: "Not 0: the port does not matter for which devices are local. A server refuses it.",
		field:   func(c *Config) any { return &c.ServersPerPort },
	},
	{
		Name: "bind_port", Group: "The node", Scope: Both, Kind: Int, Default: "6200", valid: between(0, maxPort),
		Meaning: "A local device has this replication port. Not read when servers_per_port is set. A server listens on it, and must be given it.",
		field:   func(c *Config) any { return &c.BindPort },
		when:    func(c *Config) bool { return c.ServersPerPort == 0 },
	},
	{
		Name: "user", Group: "The node", Scope: Both, Kind: Text, Default: "swift",
		Meaning: "User to become when started by root.",
		field:   func(c *Config) any { return &c.User },
	},
	{
		Name: "serve_peers", Group: "The node", Scope: Replicator, Kind: Bool, Default: "false", Effect: Own,
		Meaning: "Answer REPLICATE and SSYNC of peers in the replicator's own process, on this section's bind_ip and bind_port, " +
			"by the other options of [app:object-server]. Not in script mode.",
		field: func(c *Config) any { return &c.ServePeers },
	},
	{
		Name: "nice_priority", Group: "The node", Scope: Both, Kind: Text, Unset: "left alone",
		Meaning: "Scheduling priority, -20 to 19.",
	},
	{
		Name: "ionice_class", Group: "The node", Scope: Both, Kind: Text, Unset: "left alone",
		Meaning: "IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE.",
	},
	{
		Name: "ionice_priority", Group: "The node", Scope: Both, Kind: Text, Default: "0",
		Meaning: "Level within ionice_class, 0 to 7. Not read when ionice_class is unset.",
	},
	{
		Name: "eventlet_debug", Group: "The node", Scope: Both, Kind: Bool, Default: "no", Effect: NoEffect,
		Meaning: "Python's business.",
	},
	{
		Name: "vm_test_mode", Group: "The node", Scope: Replicator, Kind: Text, Unset: "unset", Effect: NoEffect,
		Meaning: "Removed from Swift long ago.",
	},
}

var passOptions = []Option{
	{
		Name: "concurrency", Group: "Passes", Scope: Replicator, Kind: Int, Default: "1", valid: between(1, maxJobs),
		Meaning: "Jobs at a time, for each of the workers.",
		field:   func(c *Config) any { return &c.Concurrency },
	},
	{
		Name: "replicator_workers", Group: "Passes", Scope: Replicator, Kind: Int, Default: "0", Effect: Differs,
		Meaning: "There is one process whatever the number; it runs concurrency × max(1, replicator_workers) jobs at a time, and every disk works by itself.",
		field:   func(c *Config) any { return &c.ReplicatorWorkers },
		valid: func(v float64) string {
			if v > maxJobs {
				return between(0, maxJobs)(v)
			}
			return ""
		},
	},
	{
		Name: "interval", Group: "Passes", Scope: Replicator, Kind: Seconds, Default: "30", emptyIsDefault: true, valid: atLeast(0),
		Meaning: "Rest between two passes of a disk. Empty: run_pause, or the default.",
		field:   func(c *Config) any { return &c.Interval },
	},
	{
		Name: "run_pause", Group: "Passes", Scope: Replicator, Kind: Seconds, Unset: "unset",
		Meaning: "Old name of interval: used, with a warning, when interval is unset or empty.",
	},
	{
		Name: "daemonize", Group: "Passes", Scope: Replicator, Kind: Bool, Default: "true",
		Meaning: "False: one pass, then exit, as with --once.",
		field:   func(c *Config) any { return &c.Daemonize },
	},
	{
		Name: "stats_interval", Group: "Passes", Scope: Replicator, Kind: Seconds, Default: "300", valid: atLeast(0),
		Meaning: "Time between two progress lines in the log.",
		field:   func(c *Config) any { return &c.StatsInterval },
	},
	{
		Name: "ring_check_interval", Group: "Passes", Scope: Replicator, Kind: Seconds, Default: "15", valid: atLeast(0),
		Meaning: "Least time between two looks at the ring files.",
		field:   func(c *Config) any { return &c.RingCheckInterval },
	},
	{
		Name: "lockup_timeout", Group: "Passes", Scope: Replicator, Kind: Seconds, Default: "1800", Effect: Differs, valid: above(0),
		Meaning: "Swift ignores it. Here it is for each call of a job, on a disk or to a peer: one that has not returned ten seconds after it " +
			"is written off, its slot goes to another disk, and its own disk is stalled until the call returns.",
		field: func(c *Config) any { return &c.LockupTimeout },
	},
	{
		Name: "device_concurrency", Group: "Passes", Scope: Replicator, Kind: AutoInt, Default: "auto", Effect: Own, valid: atLeast(0),
		Meaning: "Jobs at a time on one disk. auto: more than an equal share of the node's jobs only while no other disk has work for them.",
		field:   func(c *Config) any { return &c.DeviceConcurrency },
	},
	{
		Name: "probe_interval", Group: "Passes", Scope: Replicator, Kind: Seconds, Default: "15", Effect: Own, valid: above(0),
		Meaning: "Time between two probes of a disk at work or out of service: a file without a name is written, synced and read back.",
		field:   func(c *Config) any { return &c.ProbeInterval },
	},
	{
		Name: "probe_timeout", Group: "Passes", Scope: Replicator, Kind: Seconds, Default: "30", Effect: Own, valid: above(0),
		Meaning: "A disk that has not answered a probe after this time is stalled: its jobs are written off and their slots go to other disks.",
		field:   func(c *Config) any { return &c.ProbeTimeout },
	},
	{
		Name: "device_error_limit", Group: "Passes", Scope: Replicator, Kind: Int, Default: "10", Effect: Own, valid: atLeast(1),
		Meaning: "A disk is failing when so many jobs in a row ended by errors of the disk itself, and gets no work until a probe finds it well.",
		field:   func(c *Config) any { return &c.DeviceErrorLimit },
	},
	{
		Name: "handoffs_first", Group: "Passes", Scope: Replicator, Kind: Bool, Default: "false",
		Meaning: "Each disk moves its handoffs first, and leaves its other partitions alone while one of them remains.",
		field:   func(c *Config) any { return &c.HandoffsFirst },
	},
	{
		Name: "handoff_delete", Group: "Passes", Scope: Replicator, Kind: AutoInt, Default: "auto", valid: atLeast(0),
		Meaning: "Primaries that must have proven to hold a file before it is removed from a handoff; auto is all of them, and so is a larger number.",
		field:   func(c *Config) any { return &c.HandoffDelete },
	},
	{
		Name: "handoff_proof", Group: "Passes", Scope: Replicator, Kind: Text, Default: "size", Effect: Own,
		Meaning: "What proves over rsync that a primary holds a file: names takes rsync's exit status 0 for it, as Swift does; " +
			"size has a second rsync compare sizes, which finds files that a power cut has emptied.",
		words: []string{"names", "size"},
		field: func(c *Config) any { return &c.HandoffProof },
	},
	{
		Name: "handoff_settle", Group: "Passes", Scope: Replicator, Kind: Seconds, Default: "0", Effect: Own, valid: atLeast(0),
		Meaning: "Keep a proven handoff for this long and remove it when a later pass proves it again: " +
			"for sites that fear a power cut before the primaries have written to their disks. " +
			"The process remembers what is proven: one with --once never comes to the second pass, and keeps it.",
		field: func(c *Config) any { return &c.HandoffSettle },
	},
	{
		Name: "native_lane", Group: "Passes", Scope: Both, Kind: Bool, Default: "yes", Effect: Own,
		Meaning: "Compare many partitions at once with peers that run Understudy, too, and let them do so here. Such peers then work together " +
			"only with the same swift.conf and rings. Other peers are not concerned.",
		field: func(c *Config) any { return &c.NativeLane },
	},
	{
		Name: "admission_socket", Group: "Passes", Scope: Replicator, Kind: Path, Unset: "unset", Effect: Own, emptyIsDefault: true,
		Meaning: "Unix socket on which `understudy-fleet agent` is asked before each push, so that a rebalance does not stampede a disk: " +
			"the socket of admission in its fleet.json. Pushes begin unasked while the agent does not answer. A pass in script mode asks, too.",
		form:  agentForm,
		field: func(c *Config) any { return &c.AdmissionSocket },
	},
	{
		Name: "recon_cache_path", Group: "Passes", Scope: Replicator, Kind: Path, Default: "/var/cache/swift",
		Meaning: "Directory of object.recon.",
		field:   func(c *Config) any { return &c.ReconCachePath },
	},
}

var transferOptions = []Option{
	{
		Name: "bytes_per_second", Group: "Limits", Scope: Replicator, Kind: Int, Default: "0", Effect: Own, valid: noneOrAtLeast(10000),
		Meaning: "Bytes of objects that the node pushes a second. 0 is no bound. This and the other limits can be changed while the engine runs.",
		field:   func(c *Config) any { return &c.BytesPerSecond },
	},
	{
		Name: "device_bytes_per_second", Group: "Limits", Scope: Replicator, Kind: Int, Default: "0", Effect: Own, valid: noneOrAtLeast(10000),
		Meaning: "Bytes of objects that are pushed from one disk a second. 0 is no bound.",
		field:   func(c *Config) any { return &c.DeviceBytesPerSecond },
	},
	{
		Name: "hashes_per_second", Group: "Limits", Scope: Replicator, Kind: Number, Default: "0", Effect: Own, valid: atLeast(0),
		Meaning: "Suffixes that the engine hashes a second. 0 is no bound.",
		field:   func(c *Config) any { return &c.HashesPerSecond },
	},
	{
		Name: "tranquility", Group: "Limits", Scope: Replicator, Kind: Number, Default: "0", Effect: Own, valid: between(0, 100),
		Meaning: "A slot rests after each job for so many times as long as the job took: 1 halves the load, whatever the disks can do.",
		field:   func(c *Config) any { return &c.Tranquility },
	},
	{
		Name: "sync_method", Group: "Transfers", Scope: Replicator, Kind: Text, Default: "rsync", emptyIsDefault: true,
		Meaning: "rsync or ssync.",
		words:   []string{"rsync", "ssync"},
		field:   func(c *Config) any { return &c.SyncMethod },
	},
	{
		Name: "rsync_timeout", Group: "Transfers", Scope: Replicator, Kind: WholeSeconds, Default: "900", valid: atLeast(0),
		Meaning: "Longest time that one rsync may run.",
		field:   func(c *Config) any { return &c.Rsync.Timeout },
	},
	{
		Name: "rsync_io_timeout", Group: "Transfers", Scope: Replicator, Kind: Text, Default: "30",
		Meaning: "Handed to rsync as it is: --timeout and --contimeout.",
		field:   func(c *Config) any { return &c.Rsync.IOTimeout },
	},
	{
		Name: "rsync_bwlimit", Group: "Transfers", Scope: Replicator, Kind: Text, Default: "0",
		Meaning: "Handed to rsync as it is: --bwlimit.",
		field:   func(c *Config) any { return &c.Rsync.BWLimit },
	},
	{
		Name: "rsync_compress", Group: "Transfers", Scope: Replicator, Kind: Bool, Default: "no",
		Meaning: "Compress transfers to other regions.",
		field:   func(c *Config) any { return &c.Rsync.Compress },
	},
	{
		Name: "rsync_module", Group: "Transfers", Scope: Replicator, Kind: Text, Default: "{replication_ip}::object",
		Meaning: "Template of rsync's destination. Slashes at the end are dropped; empty is the default.",
		field:   func(c *Config) any { return &c.Rsync.Module },
	},
	{
		Name: "log_rsync_transfers", Group: "Transfers", Scope: Replicator, Kind: Bool, Default: "true",
		Meaning: "Log each file that rsync sends.",
		field:   func(c *Config) any { return &c.Rsync.LogTransfers },
	},
	{
		Name: "rsync_error_log_line_length", Group: "Transfers", Scope: Replicator, Kind: Int, Default: "0", valid: atLeast(0),
		Meaning: "Cut log lines about a failed rsync to this many characters; 0 is no limit.",
		field:   func(c *Config) any { return &c.Rsync.ErrorLogLineLength },
	},
	{
		Name: "conn_timeout", Group: "Transfers", Scope: Replicator, Kind: Seconds, Default: "0.5", valid: atLeast(0),
		Meaning: "Time to connect to a peer and send it a REPLICATE request.",
		field:   func(c *Config) any { return &c.ConnTimeout },
	},
	{
		Name: "http_timeout", Group: "Transfers", Scope: Replicator, Kind: WholeSeconds, Default: "60", valid: atLeast(0),
		Meaning: "Time for a peer to answer a REPLICATE request.",
		field:   func(c *Config) any { return &c.HTTPTimeout },
	},
	{
		Name: "node_timeout", Group: "Transfers", Scope: Replicator, Kind: Seconds, Default: "10", valid: atLeast(0),
		Meaning: "With ssync: time for a peer to begin its answer, and for each piece that is sent.",
		field:   func(c *Config) any { return &c.NodeTimeout },
	},
	{
		Name: "network_chunk_size", Group: "Transfers", Scope: Both, Kind: Int, Default: "65536", valid: between(1, maxBuffer),
		Meaning: "With ssync: longest line of a peer's answer.",
		field:   func(c *Config) any { return &c.NetworkChunkSize },
	},
}
