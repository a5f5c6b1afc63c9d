package rsync

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// noStart fails when it is asked for a child.
type noStart struct{ t *testing.T }

func (s noStart) Start(argv []string, out io.Writer) Child {
	s.t.Errorf("rsync was started: %q", argv)
	return Processes{}.Start([]string{"false"}, out)
}

// TestHostileNames gives names to a Transport that a ring could hold by mistake
// or malice. None of them may reach a command line.
func TestHostileNames(t *testing.T) {
	for name, spoil := range map[string]func(*messages.SyncJob){
		"option as address":       func(j *messages.SyncJob) { j.Node.ReplicationIP = "-e/bin/sh" },
		"empty address":           func(j *messages.SyncJob) { j.Node.ReplicationIP = "" },
		"module in address":       func(j *messages.SyncJob) { j.Node.ReplicationIP = "evil::other/x" },
		"path in address":         func(j *messages.SyncJob) { j.Node.ReplicationIP = "evil/x" },
		"user in address":         func(j *messages.SyncJob) { j.Node.ReplicationIP = "root@evil" },
		"zone in address":         func(j *messages.SyncJob) { j.Node.ReplicationIP = "fe80::1%eth0" },
		"space in address":        func(j *messages.SyncJob) { j.Node.ReplicationIP = "10.0.0.1 x" },
		"parent device":           func(j *messages.SyncJob) { j.Node.Device = ".." },
		"device with slash":       func(j *messages.SyncJob) { j.Node.Device = "a/../.." },
		"empty device":            func(j *messages.SyncJob) { j.Node.Device = "" },
		"wildcard device":         func(j *messages.SyncJob) { j.Node.Device = "sd*" },
		"device with space":       func(j *messages.SyncJob) { j.Node.Device = "sda object/sdb" },
		"device with NUL":         func(j *messages.SyncJob) { j.Node.Device = "sda\x00b" },
		"device with newline":     func(j *messages.SyncJob) { j.Node.Device = "sda\nb" },
		"absolute device":         func(j *messages.SyncJob) { j.Node.Device = "/etc" },
		"module in meta":          func(j *messages.SyncJob) { j.Node.Meta = "x::y" },
		"path in meta":            func(j *messages.SyncJob) { j.Node.Meta = "../.." },
		"space in meta":           func(j *messages.SyncJob) { j.Node.Meta = "a b" },
		"local device":            func(j *messages.SyncJob) { j.Partition.Device = "../sda" },
		"negative policy":         func(j *messages.SyncJob) { j.Partition.Policy = -1 },
		"no suffixes":             func(j *messages.SyncJob) { j.Suffixes = nil },
		"suffix is parent":        func(j *messages.SyncJob) { j.Suffixes = []string{"abc", ".."} },
		"suffix with slash":       func(j *messages.SyncJob) { j.Suffixes = []string{"a/b"} },
		"empty suffix":            func(j *messages.SyncJob) { j.Suffixes = []string{""} },
		"suffix with a line feed": func(j *messages.SyncJob) { j.Suffixes = []string{"a\nb"} },
	} {
		t.Run(name, func(t *testing.T) {
			peers := &fakePeers{}
			cfg := fakeConfig(t.TempDir(), peers, &logLines{})
			cfg.Module, cfg.Spawn = "{replication_ip}::object_{meta}", noStart{t}
			cfg.Suffixes = everything(cfg.Devices)
			job := fakeJob(false)
			spoil(&job)
			res, err := mustNew(t, cfg).Sync(t.Context(), job)
			if res.OK || err == nil || len(peers.calls()) > 0 {
				t.Errorf("sync returned %v, %v; peer told %v", res, err, peers.calls())
			}
		})
	}
}

// A template may not become an option or nothing at all.
func TestHostileModules(t *testing.T) {
	for _, module := range []string{"-{replication_ip}", "--rsh=x", "{meta}", "{}", "{0}", "{ip!r}", "{port:05}", "{meta.x}", "{ip[0]}", "{i{p}}"} {
		cfg := fakeConfig(t.TempDir(), &fakePeers{}, &logLines{})
		cfg.Module, cfg.Spawn, cfg.Suffixes = module, noStart{t}, everything(cfg.Devices)
		if res, err := mustNew(t, cfg).Sync(t.Context(), fakeJob(false)); res.OK || err == nil {
			t.Errorf("module %q: sync returned %v, %v", module, res, err)
		}
	}
}

// What the store says beyond the question is not sent.
func TestStrangeSuffixes(t *testing.T) {
	cfg := fakeConfig(t.TempDir(), &fakePeers{}, &logLines{})
	cfg.Spawn = noStart{t}
	cfg.Suffixes = func(context.Context, messages.Partition, []string) ([]string, error) {
		return []string{"/etc", "-x", filepath.Join(cfg.Devices, "sda/objects/1/def")}, nil
	}
	if res, err := mustNew(t, cfg).Sync(t.Context(), fakeJob(false)); res.OK || err != nil {
		t.Errorf("sync returned %v, %v", res, err)
	}
	cfg.Suffixes = func(context.Context, messages.Partition, []string) ([]string, error) { return nil, fs.ErrPermission }
	if res, err := mustNew(t, cfg).Sync(t.Context(), fakeJob(false)); res.OK || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("sync returned %v, %v", res, err)
	}
}

func TestNewRefuses(t *testing.T) {
	good := fakeConfig("/srv/node", &fakePeers{}, &logLines{})
	for name, spoil := range map[string]func(*Config){
		"absolute":  func(c *Config) { c.Devices = "srv/node" },
		"positive":  func(c *Config) { c.Timeout = 0 },
		"suffixes":  func(c *Config) { c.Suffixes = nil },
		"no peers":  func(c *Config) { c.Peers = nil },
		"transport": func(c *Config) { *c = Config{} },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good.Log = zerolog.Logger{}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

func everything(devices string) func(context.Context, messages.Partition, []string) ([]string, error) {
	return func(_ context.Context, p messages.Partition, suffixes []string) ([]string, error) {
		var found []string
		for _, s := range suffixes {
			found = append(found, filepath.Join(devices, p.String())+"/"+s)
		}
		return found, nil
	}
}
