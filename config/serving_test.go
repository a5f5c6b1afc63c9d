package config

import (
	"strings"
	"testing"
	"time"
)

func loadServer(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Load(writeConf(t, text), Options{Section: ServerSection, SwiftConf: swiftConf(t)})
}

func TestListening(t *testing.T) {
	c, err := loadServer(t, "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = 6210\nrecon_cache_path = /a\n[pipeline:main]\npipeline = healthcheck recon object-server\n"+
		"[app:object-server]\nuse = egg:swift#object\npass_to = 127.0.0.1:6200\nclient_timeout =\nlog_format = json\n"+
		"[filter:recon]\nuse = egg:swift#recon\nset recon_cache_path = /b\n[filter:healthcheck]\ndisable_path = /off\n")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Server
	if s.PassTo != "127.0.0.1:6200" || s.ReconCachePath != "/b" || s.DisablePath != "/off" || s.ClientTimeout != time.Minute || c.Log.Format != "json" ||
		s.Backlog != 4096 || s.KeepIdle != 10*time.Minute || s.BindTimeout != 30*time.Second || s.MaxClients != 1024 || !s.LogRequests {
		t.Errorf("%+v", c)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("%q", c.Warnings)
	}
	// Without the sections [DEFAULT] counts.
	if c, err = loadServer(t, "[DEFAULT]\nbind_port = 6210\nrecon_cache_path = /a\n[app:object-server]\n"); err != nil || c.Server.ReconCachePath != "/a" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestBadListening(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "bind_port wasn't properly set in the config file. It must be explicitly set to a valid port number."},
		{"bind_port = 70000", "bind_port: must be from 0 to 65535, not 70000"},
		{"bind_port = 6200\nservers_per_port = 2", "servers_per_port: not supported by a server: it listens on one port; give each port a configuration and a process of its own"},
		{"bind_port = 6200\npass_to = localhost:6200", "pass_to: must be an address and a port, as 127.0.0.1:6200"},
		{"bind_port = 6200\npass_to = 127.0.0.1", "pass_to: must be an address and a port, as 127.0.0.1:6200"},
		{"bind_port = 6200\npass_to = 0.0.0.0:6201", "pass_to: must be an address and a port, as 127.0.0.1:6200"},
		{"bind_port = 6200\npass_to = 127.0.0.1:6200", "pass_to: 127.0.0.1:6200 is where this server listens itself"},
		{"bind_ip = 10.0.0.1\nbind_port = 6200\npass_to = 10.0.0.1:6200", "pass_to: 10.0.0.1:6200 is where this server listens itself"},
		{"bind_port = 6200\nkeep_idle = 0", "keep_idle: must be from 1 to 32766, not 0"},
		{"bind_port = 6200\nmax_clients = 0", "max_clients: must be from 1 to 65536, not 0"},
	} {
		_, err := loadServer(t, "[app:object-server]\n"+tt.text+"\n")
		if err == nil || !strings.HasSuffix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
}

// A replicator that serves peers reads both sections; its own says what belongs to
// the process and the node.
func TestServing(t *testing.T) {
	const text = "[DEFAULT]\nbind_port = 6200\nmount_check = false\n[app:object-server]\nreplication_concurrency = 7\nreplication_lock_timeout = 3\n" +
		"reclaim_age = 5\n[object-replicator]\nbind_ip = 127.0.0.1\nbind_port = 6210\nreclaim_age = 6\nlog_level = DEBUG\n"
	c, err := load(t, text)
	if err != nil || c.Serving != nil {
		t.Fatalf("%+v, %v", c, err)
	}
	if c, err = load(t, text+"serve_peers = yes\n"); err != nil {
		t.Fatal(err)
	}
	s := c.Serving
	if s.BindIP != "127.0.0.1" || s.BindPort != 6210 || s.MountCheck || s.Server.ReplicationConcurrency != 7 || s.Log.Level != "DEBUG" ||
		s.DiskFile.ReclaimAge != 6*time.Second || s.DiskFile.ReplicationLockTimeout != 3*time.Second {
		t.Errorf("%+v", s)
	}
	for text, want := range map[string]string{
		"[object-replicator]\nserve_peers = yes\n":                                                       "Unable to find app:object-server config section",
		"[app:object-server]\nclient_timeout = x\n[object-replicator]\nserve_peers = yes\n":              ":2: client_timeout: could not convert string to float: 'x'",
		"[DEFAULT]\nservers_per_port = 2\n[app:object-server]\n[object-replicator]\nserve_peers = yes\n": ":2: servers_per_port: not supported by a server",
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
