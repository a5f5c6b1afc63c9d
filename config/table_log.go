package config

import "strings"

// Swift: common/utils.py get_logger.

const (
	logGroup    = "Logging"
	statsdGroup = "Statistics"
)

var logOptions = []Option{
	{
		Name: "log_name", Group: logGroup, Scope: Both, Kind: Text, Unset: "name of the section",
		Meaning: "Name in front of every line. A log_name of [DEFAULT] counts, too.",
		field:   func(c *Config) any { return &c.Log.Name },
	},
	{
		Name: "log_format", Group: logGroup, Scope: Both, Kind: Text, Default: "syslog", Effect: Own,
		Meaning: "syslog sends lines in Swift's form to the syslog daemon, json and console write theirs to stderr, which then stays open: use them " +
			"under systemd or in a terminal, for swift-init waits until stderr is closed. A value with braces is the access log " +
			"template of Swift's servers, which have an option of the same name: it is left to them.",
		words: []string{"syslog", "json", "console"},
		field: func(c *Config) any { return &c.Log.Format },
		// Swift: common/base_storage_server.py reads log_format, often from [DEFAULT].
		foreign: func(text string) bool { return strings.ContainsRune(text, '{') },
	},
	{
		Name: "log_level", Group: logGroup, Scope: Both, Kind: Level, Default: "INFO",
		Meaning: "DEBUG, INFO, WARNING, ERROR or CRITICAL in any case; any other word is INFO.",
		field:   func(c *Config) any { return &c.Log.Level },
	},
	{
		Name: "log_facility", Group: logGroup, Scope: Both, Kind: Facility, Default: "LOG_LOCAL0",
		Meaning: "LOG_LOCAL0 to LOG_LOCAL7, LOG_DAEMON, …; any other word is LOG_LOCAL0.",
		field:   func(c *Config) any { return &c.Log.Facility },
	},
	{
		Name: "log_address", Group: logGroup, Scope: Both, Kind: Path, Default: "/dev/log",
		Meaning: "Socket of the syslog daemon; UDP to port 514 of this machine when there is none.",
		field:   func(c *Config) any { return &c.Log.Address },
	},
	{
		Name: "log_udp_host", Group: logGroup, Scope: Both, Kind: Text, Unset: "unset",
		Meaning: "Host of the syslog daemon, in place of log_address.",
		field:   func(c *Config) any { return &c.Log.UDPHost },
	},
	{
		Name: "log_udp_port", Group: logGroup, Scope: Both, Kind: Int, Default: "514", valid: between(0, maxPort),
		Meaning: "Port of the syslog daemon. Not read when log_udp_host is unset.",
		field:   func(c *Config) any { return &c.Log.UDPPort },
		when:    func(c *Config) bool { return c.Log.UDPHost != "" },
	},
	{
		Name: "log_max_line_length", Group: logGroup, Scope: Both, Kind: Int, Default: "0",
		Meaning: "Shorten longer lines, keeping both ends; 0 or less is no limit.",
		field:   func(c *Config) any { return &c.Log.MaxLineLength },
	},
	{
		Name: "log_requests", Group: logGroup, Scope: ObjServer, Kind: Bool, Default: "true",
		Meaning: "A line for each request, at level DEBUG as Swift's for REPLICATE and SSYNC.",
		field:   func(c *Config) any { return &c.Server.LogRequests },
	},
	{
		Name: "log_custom_handlers", Group: logGroup, Scope: Both, Kind: List, Unset: "none", Effect: Unsupported,
		Meaning: "Python functions.",
	},
}

var statsdOptions = []Option{
	{
		Name: "log_statsd_host", Group: statsdGroup, Scope: Both, Kind: Text, Unset: "unset",
		Meaning: "Host of the statsd daemon. The options below are read only when it is set.",
		field:   func(c *Config) any { return &c.Statsd.Host },
	},
	{
		Name: "log_statsd_port", Group: statsdGroup, Scope: Both, Kind: Int, Default: "8125", valid: between(0, maxPort),
		Meaning: "Port of the statsd daemon.",
		field:   func(c *Config) any { return &c.Statsd.Port },
		when:    hasStatsd,
	},
	{
		Name: "log_statsd_default_sample_rate", Group: statsdGroup, Scope: Both, Kind: Number, Default: "1.0",
		Meaning: "Part of the events that is sent.",
		field:   func(c *Config) any { return &c.Statsd.DefaultRate },
		when:    hasStatsd,
	},
	{
		Name: "log_statsd_sample_rate_factor", Group: statsdGroup, Scope: Both, Kind: Number, Default: "1.0",
		Meaning: "Multiplies every sample rate.",
		field:   func(c *Config) any { return &c.Statsd.RateFactor },
		when:    hasStatsd,
	},
	{
		Name: "log_statsd_metric_prefix", Group: statsdGroup, Scope: Both, Kind: Text, Unset: "none",
		Meaning: "First part of every metric's name.",
		field:   func(c *Config) any { return &c.Statsd.MetricPrefix },
		when:    hasStatsd,
	},
	{
		Name: "statsd_emit_legacy", Group: statsdGroup, Scope: Both, Kind: Bool, Default: "true",
		Meaning: "Send metrics without labels.",
		field:   func(c *Config) any { return &c.Statsd.EmitLegacy },
		when:    hasStatsd,
	},
}

func hasStatsd(c *Config) bool { return c.Statsd.Host != "" }
