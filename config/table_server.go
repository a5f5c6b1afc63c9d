package config

// Swift: obj/diskfile.py BaseDiskFileManager.__init__, obj/server.py,
// common/constraints.py, common/storage_policy.py.

const (
	diskFileGroup = "Disk files"
	listenGroup   = "Listening ([app:object-server])"
	serverGroup   = "Object server ([app:object-server])"
	filterGroup   = "Filters ([filter:recon], [filter:healthcheck])"
	swiftGroup    = "swift.conf"
)

var diskFileOptions = []Option{
	{
		Name: "reclaim_age", Group: diskFileGroup, Scope: Both, Kind: WholeSeconds, Default: "604800", valid: atLeast(0),
		Meaning: "Age at which tombstones are removed. Must be the same for all services of the cluster.",
		field:   func(c *Config) any { return &c.DiskFile.ReclaimAge },
	},
	{
		Name: "commit_window", Group: diskFileGroup, Scope: Both, Kind: Seconds, Default: "60", Effect: NoEffect, valid: atLeast(0),
		Meaning: "Erasure coding only.",
		field:   func(c *Config) any { return &c.DiskFile.CommitWindow },
	},
	{
		Name: "replication_concurrency_per_device", Group: diskFileGroup, Scope: Both, Kind: Int, Default: "1", valid: atLeast(0),
		Meaning: "Incoming SSYNC requests at a time per device; 0 is no limit. For the server.",
		field:   func(c *Config) any { return &c.DiskFile.ConcurrencyPerDevice },
	},
	{
		Name: "replication_one_per_device", Group: diskFileGroup, Scope: Both, Kind: Bool, Unset: "unset",
		Meaning: "Old form of replication_concurrency_per_device: true is 1, false is 0. Start-up warns.",
	},
	{
		Name: "replication_lock_timeout", Group: diskFileGroup, Scope: Both, Kind: WholeSeconds, Default: "15", valid: atLeast(0),
		Meaning: "Wait for the locks of an incoming SSYNC request. For the server.",
		field:   func(c *Config) any { return &c.DiskFile.ReplicationLockTimeout },
	},
	{
		Name: "disk_chunk_size", Group: diskFileGroup, Scope: Both, Kind: Int, Default: "65536", Effect: NoEffect, valid: between(1, maxBuffer),
		Meaning: "Bytes read at a time with sync_method = ssync.",
		field:   func(c *Config) any { return &c.DiskFile.ChunkSize },
	},
	{
		Name: "keep_cache_size", Group: diskFileGroup, Scope: Both, Kind: Int, Default: "5242880", Effect: NoEffect,
		Meaning: "Objects up to this size stay in the page cache.",
		field:   func(c *Config) any { return &c.DiskFile.KeepCacheSize },
	},
	{
		Name: "mb_per_sync", Group: diskFileGroup, Scope: Both, Kind: Int, Default: "512",
		Meaning: "MiB written between two syncs. For the server.",
		field:   func(c *Config) any { return &c.DiskFile.MBPerSync },
	},
	{
		Name: "splice", Group: diskFileGroup, Scope: Both, Kind: Bool, Default: "no", Effect: NoEffect,
		Meaning: "Send objects by splice(2).",
		field:   func(c *Config) any { return &c.DiskFile.Splice },
	},
	{
		Name: "disable_fallocate", Group: diskFileGroup, Scope: Both, Kind: Bool, Default: "no",
		Meaning: "Do not allocate space before writing. For the server.",
		field:   func(c *Config) any { return &c.DiskFile.DisableFallocate },
	},
	{
		Name: "fallocate_reserve", Group: diskFileGroup, Scope: Both, Kind: Reserve, Default: "1%",
		Meaning: "Space to leave free when writing, for the server. A bad value keeps the replicator from starting all the same.",
		field:   func(c *Config) any { return &c.DiskFile },
	},
}

var swiftConfOptions = []Option{
	{
		Name: "swift_hash_path_prefix", Group: swiftGroup, Scope: SwiftHash, Kind: Raw, Unset: "empty",
		Meaning: "Hashed in front of every path. It or the suffix must be set; % is written %%.",
		field:   func(c *Config) any { return &c.Swift.HashPrefix },
	},
	{
		Name: "swift_hash_path_suffix", Group: swiftGroup, Scope: SwiftHash, Kind: Raw, Unset: "empty",
		Meaning: "Hashed behind every path.",
		field:   func(c *Config) any { return &c.Swift.HashSuffix },
	},
	{Name: "name", Group: swiftGroup, Scope: SwiftPolicy, Kind: Text, Unset: "required", Meaning: "Letters, digits and dashes; unique in any case."},
	{Name: "aliases", Group: swiftGroup, Scope: SwiftPolicy, Kind: List, Unset: "none", Meaning: "More names of the policy."},
	{Name: "policy_type", Group: swiftGroup, Scope: SwiftPolicy, Kind: Text, Default: "replication", Meaning: "replication; policies of type erasure_coding are checked and left alone."},
	{Name: "default", Group: swiftGroup, Scope: SwiftPolicy, Kind: Bool, Default: "no", Meaning: "One policy is the default; with a single policy it need not be said."},
	{Name: "deprecated", Group: swiftGroup, Scope: SwiftPolicy, Kind: Bool, Default: "no", Meaning: "No new containers. The policy is replicated all the same."},
	{Name: "diskfile_module", Group: swiftGroup, Scope: SwiftPolicy, Kind: Text, Unset: "that of the type", Meaning: "A replication policy with another module than egg:swift#replication.fs is not replicated, and start-up says so.", Effect: Differs},
	{Name: "ec_type", Group: swiftGroup, Scope: SwiftPolicy, Kind: Text, Unset: "required", Meaning: "Erasure coding scheme."},
	{Name: "ec_num_data_fragments", Group: swiftGroup, Scope: SwiftPolicy, Kind: Int, Unset: "required", Meaning: "More than 0."},
	{Name: "ec_num_parity_fragments", Group: swiftGroup, Scope: SwiftPolicy, Kind: Int, Unset: "required", Meaning: "More than 0."},
	{Name: "ec_object_segment_size", Group: swiftGroup, Scope: SwiftPolicy, Kind: Int, Default: "1048576", Meaning: "Bytes."},
	{Name: "ec_duplication_factor", Group: swiftGroup, Scope: SwiftPolicy, Kind: Int, Default: "1", Meaning: "More than 0."},
	{
		Name: "max_file_size", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "5368709122",
		Meaning: "Bytes of an object.",
		field:   func(c *Config) any { return &c.Server.Constraints.MaxFileSize },
	},
	{
		Name: "max_meta_name_length", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "128",
		Meaning: "Bytes of a metadata name.",
		field:   func(c *Config) any { return &c.Server.Constraints.MaxMetaNameLength },
	},
	{
		Name: "max_meta_value_length", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "256",
		Meaning: "Bytes of a metadata value.",
		field:   func(c *Config) any { return &c.Server.Constraints.MaxMetaValueLength },
	},
	{
		Name: "max_meta_count", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "90",
		Meaning: "Metadata entries of an object.",
		field:   func(c *Config) any { return &c.Server.Constraints.MaxMetaCount },
	},
	{
		Name: "max_meta_overall_size", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "4096",
		Meaning: "Bytes of all metadata of an object.",
		field:   func(c *Config) any { return &c.Server.Constraints.MaxMetaOverallSize },
	},
	{
		Name: "max_header_size", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "8192",
		Meaning: "Bytes of a header line.",
		field:   func(c *Config) any { return &c.Server.Constraints.MaxHeaderSize },
	},
	{
		Name: "max_object_name_length", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "1024",
		Meaning: "Bytes of an object's name.",
		field:   func(c *Config) any { return &c.Server.Constraints.MaxObjectNameLength },
	},
	{
		Name: "extra_header_count", Group: swiftGroup, Scope: SwiftLimits, Kind: Int, Default: "0", Effect: NoEffect,
		Meaning: "Headers allowed on top of max_meta_count + 36.",
		field:   func(c *Config) any { return &c.Server.Constraints.ExtraHeaderCount },
	},
}
