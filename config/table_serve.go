package config

import (
	"errors"
	"net/netip"
)

// Swift: common/wsgi.py get_socket and run_server, obj/server.py,
// common/middleware/recon.py and healthcheck.py.

var listenOptions = []Option{
	{
		Name: "bind_timeout", Group: listenGroup, Scope: ObjServer, Kind: WholeSeconds, Default: "30", valid: atLeast(0),
		Meaning: "Time to wait for an address that is in use.",
		field:   func(c *Config) any { return &c.Server.BindTimeout },
	},
	{
		Name: "backlog", Group: listenGroup, Scope: ObjServer, Kind: Int, Default: "4096", valid: between(0, 1<<20),
		Meaning: "Connections that may wait to be accepted; the kernel has a limit of its own.",
		field:   func(c *Config) any { return &c.Server.Backlog },
	},
	{
		Name: "keep_idle", Group: listenGroup, Scope: ObjServer, Kind: WholeSeconds, Default: "600", valid: between(1, 1<<15-2),
		Meaning: "Silence of a connection after which TCP asks whether the peer is still there.",
		field:   func(c *Config) any { return &c.Server.KeepIdle },
	},
	{
		Name: "max_clients", Group: listenGroup, Scope: ObjServer, Kind: Int, Default: "1024", Effect: Differs, valid: between(1, maxJobs),
		Meaning: "Connections at a time of the whole process; more wait to be accepted. A quarter is kept from what goes to pass_to.",
		field:   func(c *Config) any { return &c.Server.MaxClients },
	},
	{
		Name: "workers", Group: listenGroup, Scope: ObjServer, Kind: Text, Default: "auto", Effect: Differs,
		Meaning: "There is one process whatever the number; it uses all CPUs.",
	},
	{
		Name: "pass_to", Group: listenGroup, Scope: ObjServer, Kind: Text, Unset: "unset", Effect: Own,
		Meaning: "Address and port of a stock object server, as 127.0.0.1:6200. It gets every request that is not ours: GET, PUT and all " +
			"other verbs, and whatever is about a policy that is not replicated. Unset: 405 or 503.",
		form:  addressForm,
		field: func(c *Config) any { return &c.Server.PassTo },
	},
	{
		Name: "cert_file", Group: listenGroup, Scope: ObjServer, Kind: Path, Unset: "unset", Effect: Unsupported,
		Meaning: "TLS, which Swift has for tests only.",
	},
	{
		Name: "key_file", Group: listenGroup, Scope: ObjServer, Kind: Path, Unset: "unset", Effect: Unsupported,
		Meaning: "Key for cert_file.",
	},
	{
		Name: "require_proxy_protocol", Group: listenGroup, Scope: ObjServer, Kind: Bool, Default: "no", Effect: Unsupported,
		Meaning: "PROXY lines in front of requests.",
	},
}

// addressForm: the address must be a number, because looking a name up for every
// connection is one more thing that can hang.
func addressForm(text string) error {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 || at.Addr().IsUnspecified() {
		return errors.New("must be an address and a port, as 127.0.0.1:6200")
	}
	return nil
}

var serverOptions = []Option{
	{
		Name: "node_timeout", Group: serverGroup, Scope: ObjServer, Kind: Seconds, Default: "3", Effect: NoEffect, valid: atLeast(0),
		Meaning: "For the server that pass_to names: replication tells nobody else.",
		field:   func(c *Config) any { return &c.NodeTimeout },
	},
	{
		Name: "conn_timeout", Group: serverGroup, Scope: ObjServer, Kind: Seconds, Default: "0.5", valid: atLeast(0),
		Meaning: "Time to connect to the server that pass_to names.",
		field:   func(c *Config) any { return &c.ConnTimeout },
	},
	{
		Name: "client_timeout", Group: serverGroup, Scope: ObjServer, Kind: Seconds, Default: "60", valid: atLeast(0),
		Meaning: "Time to wait for each chunk of a request, and for the next request of a connection; empty is the default.", emptyIsDefault: true,
		field: func(c *Config) any { return &c.Server.ClientTimeout },
	},
	{
		Name: "container_update_timeout", Group: serverGroup, Scope: ObjServer, Kind: Seconds, Default: "1", Effect: NoEffect, valid: atLeast(0),
		Meaning: "Likewise.",
		field:   func(c *Config) any { return &c.Server.ContainerUpdateTimeout },
	},
	{
		Name: "max_upload_time", Group: serverGroup, Scope: ObjServer, Kind: WholeSeconds, Default: "86400", valid: atLeast(0),
		Meaning: "Longest time that one upload may take.",
		field:   func(c *Config) any { return &c.Server.MaxUploadTime },
	},
	{
		Name: "allowed_headers", Group: serverGroup, Scope: ObjServer, Kind: List, Effect: NoEffect,
		Default: "content-disposition, content-encoding, x-delete-at, x-object-manifest, x-static-large-object, cache-control, " +
			"content-language, expires, x-robots-tag",
		Meaning: "Headers that are kept with an upload of the server that pass_to names: replication keeps all.",
		field:   func(c *Config) any { return &c.Server.AllowedHeaders },
	},
	{
		Name: "replication_server", Group: serverGroup, Scope: ObjServer, Kind: Bool, Default: "true",
		Meaning: "Answer REPLICATE and SSYNC; false: 405.",
		field:   func(c *Config) any { return &c.Server.ReplicationServer },
	},
	{
		Name: "replication_concurrency", Group: serverGroup, Scope: ObjServer, Kind: Int, Default: "4",
		emptyIsDefault: true, valid: atLeast(0),
		Meaning: "Incoming SSYNC requests at a time; 0 is no limit.",
		field:   func(c *Config) any { return &c.Server.ReplicationConcurrency },
	},
	{
		Name: "replication_failure_threshold", Group: serverGroup, Scope: ObjServer, Kind: Int, Default: "100",
		emptyIsDefault: true,
		Meaning:        "Failures before an SSYNC request can be given up.",
		field:          func(c *Config) any { return &c.Server.FailureThreshold },
	},
	{
		Name: "replication_failure_ratio", Group: serverGroup, Scope: ObjServer, Kind: Number, Default: "1.0",
		emptyIsDefault: true,
		Meaning:        "Failures per success at which an SSYNC request is given up.",
		field:          func(c *Config) any { return &c.Server.FailureRatio },
	},
}

var filterOptions = []Option{
	{
		Name: "recon_cache_path", Group: filterGroup, Scope: ReconFilter, Kind: Path, Default: "/var/cache/swift",
		Meaning: "In [filter:recon]: directory of the files behind /recon, which is served whether or not the pipeline names the filter.",
		field:   func(c *Config) any { return &c.Server.ReconCachePath },
	},
	{
		Name: "disable_path", Group: filterGroup, Scope: HealthFilter, Kind: Path, Unset: "none",
		Meaning: "In [filter:healthcheck]: a file; while it is there /healthcheck answers 503.",
		field:   func(c *Config) any { return &c.Server.DisablePath },
	},
}
