package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sections are the settings of [object-replicator]: what Swift's ObjectReplicator
// makes of them is compared with what we do.
var sections = []string{
	"", "devices = /d\nmount_check = no\nswift_dir = /s\nuser = me\nrecon_cache_path = /r\n",
	"mount_check = TRUE", "mount_check = enabled", "mount_check =", "mount_check = T", "bind_ip = 1.2.3.4", "ring_ip = 5.6.7.8\nbind_ip = 1.2.3.4", "ring_ip =\nbind_ip = 1.2.3.4",
	"bind_port = 6010", "bind_port = x", "servers_per_port = 4", "servers_per_port = 4\nbind_port = x", "servers_per_port =", "servers_per_port = y",
	"concurrency = 4", "concurrency = +1_0", "concurrency = 1.5", "concurrency = 007", "concurrency = 0x10", "concurrency =", "replicator_workers = 8", "replicator_workers = -1",
	"replicator_workers = x", "interval = 5", "interval = 1e1", "interval = .5", "interval = 5.", "interval = 0", "interval =", "interval = x", "interval = 1_0.5", "interval = 1__0",
	"interval = 0x1p4", "run_pause = 7", "run_pause = x", "interval = 5\nrun_pause = 7", "interval = 5\nrun_pause = x", "interval =\nrun_pause = 7", "interval =\nrun_pause =",
	"run_pause =", "stats_interval = 60.5", "stats_interval =", "ring_check_interval = 1", "ring_check_interval = abc", "daemonize = off", "daemonize = no", "daemonize = yes",
	"sync_method =", "sync_method = rsync", "sync_method = carrier-pigeon", "rsync_timeout = 10", "rsync_timeout = 10.5", "rsync_timeout =",
	"rsync_io_timeout = 5s", "rsync_io_timeout =", "rsync_bwlimit = 10M", "rsync_compress = yes",
	"rsync_module = {replication_ip}::object_{device}/", "rsync_module = x///", "rsync_module = /", "rsync_module =", "http_timeout = 5", "http_timeout = 0.5",
	"conn_timeout = 1.5", "conn_timeout = a", "node_timeout = 3", "network_chunk_size = 1024", "network_chunk_size = big", "log_rsync_transfers = false",
	"rsync_error_log_line_length = 80", "rsync_error_log_line_length = x", "handoffs_first = yes", "handoff_delete = auto", "handoff_delete = AUTO", "handoff_delete = 2",
	"handoff_delete = 0", "handoff_delete = two", "handoff_delete =", "handoff_delete = 1\nhandoffs_first = yes", "log_name = me", "log_level = debug", "log_level = WARN", "log_level = bogus",
	"log_level = critical", "log_level = notset", "log_level =", "log_level = NOTICE", "reclaim_age = 100", "reclaim_age = 100.0", "reclaim_age =", "commit_window = 5.5", "commit_window = -1",
	"commit_window = x", "replication_concurrency_per_device = 3", "replication_concurrency_per_device =", "replication_one_per_device = true", "replication_one_per_device = no",
	"replication_one_per_device = yes\nreplication_concurrency_per_device = 5", "replication_lock_timeout = 1", "replication_lock_timeout = x", "disk_chunk_size = 4096", "disk_chunk_size = x",
	"keep_cache_size = 1", "mb_per_sync = 1", "mb_per_sync = x", "fallocate_reserve = 5%", "fallocate_reserve = 0.5%", "fallocate_reserve = 1024", "fallocate_reserve = x", "fallocate_reserve = %",
	"fallocate_reserve =", "fallocate_reserve = 1.5", "fallocate_reserve = 1 %", "log_max_line_length = x", "log_max_line_length = -5", "log_facility = nonsense", "log_udp_port = x",
	"set concurrency = 5", "vm_test_mode = true", "eventlet_debug = yes",
}

// own are the words with which this version warns where Swift does not.
var own = []string{"has no effect in this version", "unknown log_"}

func TestOptionsAgreeWithSwift(t *testing.T) {
	swift := swiftConf(t)
	var requests []request
	for _, settings := range sections {
		requests = append(requests, request{Do: "daemon", Path: writeConf(t, "[object-replicator]\n"+settings+"\n"), Section: ReplicatorSection})
	}
	for i, a := range askSwift(t, requests) {
		c, err := Load(requests[i].Path, Options{SwiftConf: swift})
		want := map[string]any{}
		if ok := a.unpack(t, &want); ok != (err == nil) {
			t.Errorf("%q: Swift says %q, we say %v", sections[i], a.Error, err)
			continue
		} else if !ok {
			checkPython(t, sections[i], a.Error, err)
			continue
		}
		warnings := slices.DeleteFunc(slices.Clone(c.Warnings), func(w string) bool {
			return slices.ContainsFunc(own, func(words string) bool { return strings.Contains(w, words) })
		})
		if got, want := fmt.Sprint(warnings), fmt.Sprint(want["warnings"]); got != want {
			t.Errorf("%q: Swift warns %s\nwe warn %s", sections[i], want, got)
		}
		delete(want, "warnings")
		seen := 0
		for _, v := range c.Values() {
			w, ok := want[v.Option.Name]
			if !ok {
				continue
			}
			seen++
			if !sameValue(v.Text, w) {
				t.Errorf("%q: %s is %v in Swift, %s here", sections[i], v.Option.Name, w, v.Text)
			}
		}
		if seen != len(want) {
			t.Errorf("%q: only %d of %d options compared", sections[i], seen, len(want))
		}
	}
}

// checkPython: where Python complains about a value, so do we, in its words.
func checkPython(t *testing.T, settings, swift string, err error) {
	t.Helper()
	words, ok := strings.CutPrefix(swift, "ValueError: ")
	if ok && words != "" && !strings.HasSuffix(err.Error(), words) {
		t.Errorf("%q: Swift says %q, we say %q", settings, words, err)
	}
}

func sameValue(text string, want any) bool {
	switch w := want.(type) {
	case bool:
		return text == strconv.FormatBool(w)
	case float64:
		if text == notRead {
			text = "0"
		}
		got, err := strconv.ParseFloat(text, 64)
		return err == nil && got == w
	default:
		return text == fmt.Sprint(w)
	}
}

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Load(writeConf(t, text), Options{SwiftConf: swiftConf(t)})
}

// What we refuse and Swift takes, or crashes on later.
func TestStricterThanSwift(t *testing.T) {
	tests := []struct{ settings, want string }{
		{"handoff_proof = trust", "handoff_proof: must be names or size, not 'trust'"},
		{"handoff_settle = -1", "handoff_settle: must be at least 0, not -1"},
		{"sync_method = replicate", "sync_method: must be rsync or ssync, not 'replicate'"},
		{"concurrency = 0", "concurrency: must be from 1 to 65536, not 0"},
		{"concurrency = 100000", "concurrency: must be from 1 to 65536, not 100000"},
		{"concurrency = 99999999999999999999", "concurrency: number out of range: '99999999999999999999'"},
		{"replicator_workers = 100000", "replicator_workers: must be from 0 to 65536, not 100000"},
		{"interval = -1", "interval: must be at least 0, not -1"},
		{"interval = nan", "interval: 'nan' is not a number"},
		{"reclaim_age = -1", "reclaim_age: must be at least 0, not -1"},
		{"handoff_delete = -1", "handoff_delete: must be at least 0, not -1"},
		{"bind_port = 70000", "bind_port: must be from 0 to 65535, not 70000"},
		{"lockup_timeout = 0", "lockup_timeout: must be more than 0, not 0"},
		{"lockup_timeout = soon", "lockup_timeout: could not convert string to float: 'soon'"},
		{"disk_chunk_size = 0", "disk_chunk_size: must be from 1 to 1.073741824e+09, not 0"},
		{"log_format = xml", "log_format: must be syslog or json or console, not 'xml'"},
	}
	for _, tt := range tests {
		_, err := load(t, "[object-replicator]\n"+tt.settings+"\n")
		if err == nil || !strings.HasSuffix(err.Error(), "object-server.conf:2: "+tt.want) {
			t.Errorf("%s: got %v, want %s", tt.settings, err, tt.want)
		}
	}
}

func TestOwnOptions(t *testing.T) {
	tests := []struct{ text, format string }{
		{"[object-replicator]\n", "syslog"},
		{"[object-replicator]\nlog_format = json\n", "json"},
		{"[DEFAULT]\nlog_format = console\n[object-replicator]\n", "console"},
		{"[DEFAULT]\nlog_format = {remote_addr} {status}\n[object-replicator]\n", "syslog"},
		{"[object-replicator]\nlog_format = {remote_addr} {status}\n", "syslog"},
	}
	for _, tt := range tests {
		c, err := load(t, tt.text)
		if err != nil || c.Log.Format != tt.format {
			t.Errorf("%q: got %+v, %v; want %s", tt.text, c, err, tt.format)
		}
	}
	c, err := load(t, "[object-replicator]\nconcurrency = 3\nreplicator_workers = 4\nlockup_timeout = 60.5\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.JobSlots() != 12 || c.LockupTimeout.Seconds() != 60.5 {
		t.Errorf("slots %d, lockup %v", c.JobSlots(), c.LockupTimeout)
	}
	c.ReplicatorWorkers = 0
	if c.JobSlots() != 3 {
		t.Errorf("slots %d without workers", c.JobSlots())
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		settings string
		want     []string // ends of the warnings, in order
	}{
		{"", nil},
		{"handoffs_first = no\nhandoff_delete = auto\nlog_statsd_port = 1\nstatsd_emit_legacy = no", nil},
		{"handoffs_first = yes", []string{"next normal rebalance"}},
		{"handoff_delete = 2", []string{"next normal rebalance"}},
		{"log_statsd_host = h\nlog_statsd_port = 1\nlog_statsd_default_sample_rate = 1", nil},
		{"log_custom_handlers = a.b", []string{":2 [object-replicator]: option log_custom_handlers is not supported"}},
		{"log_facility = LOG_LOCAL9", []string{"unknown log_facility 'LOG_LOCAL9', using LOG_LOCAL0"}},
		{"nice_priority = low", []string{"(invalid literal for int() with base 10: 'low')"}},
		{"ionice_class = fast", []string{"(unknown ionice_class 'fast')"}},
		{"ionice_class = IOPRIO_CLASS_BE\nionice_priority = 9000", []string{"(ionice_priority 9000 is out of range)"}},
		{"Interval = 5", []string{"option interval is written Interval: options are case-sensitive in current Swift"}},
	}
	for _, tt := range tests {
		c, err := load(t, "[object-replicator]\n"+tt.settings+"\n")
		if err != nil {
			t.Errorf("%s: %v", tt.settings, err)
			continue
		}
		ok := len(c.Warnings) == len(tt.want)
		for i := 0; ok && i < len(tt.want); i++ {
			ok = strings.HasSuffix(c.Warnings[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%s: warnings %q, want %q", tt.settings, c.Warnings, tt.want)
		}
	}
}

func TestPriority(t *testing.T) {
	c, err := load(t, "[object-replicator]\nnice_priority = -5\nionice_class = IOPRIO_CLASS_IDLE\nionice_priority = 7\n")
	if err != nil || c.Priority.Nice == nil || *c.Priority.Nice != -5 || c.Priority.IO == nil || *c.Priority.IO != (IOPriority{3, 7}) {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = load(t, "[object-replicator]\nionice_priority = 7\n"); err != nil || c.Priority != (Priority{}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// A key in another case counts when there is no other, as before Swift 2.31.
func TestKeysThatDifferInCase(t *testing.T) {
	tests := []struct {
		text     string
		interval float64
		warnings int
	}{
		{"[object-replicator]\nInterval = 5\n", 5, 1},
		{"[object-replicator]\nInterval = 5\ninterval = 6\n", 6, 0},
		{"[DEFAULT]\ninterval = 7\n[object-replicator]\nInterval = 5\n", 7, 0},
		{"[object-replicator]\nrest = 8\ninterval = %(REST)s\n", 8, 1},
	}
	for _, tt := range tests {
		c, err := load(t, tt.text)
		if err != nil || c.Interval.Seconds() != tt.interval || len(c.Warnings) != tt.warnings {
			t.Errorf("%q: %+v, %v", tt.text, c, err)
		}
	}
}

func TestServerOptions(t *testing.T) {
	c, err := Load(writeConf(t, "[DEFAULT]\nnode_timeout = 9\nbind_port = 6200\n[app:object-server]\nuse = egg:swift#object\nreplication_concurrency = 0\n"+
		"allowed_headers = A-b, ,C\nset devices = /x\nnode_timeout = 8\n"),
		Options{Section: ServerSection, SwiftConf: writeFile(t, t.TempDir(), "swift.conf", hashed+"[swift-constraints]\nmax_meta_count = 10\nextra_header_count = 4\n")})
	if err != nil {
		t.Fatal(err)
	}
	s := c.Server
	if s.ReplicationConcurrency != 0 || !slices.Equal(s.AllowedHeaders, []string{"a-b", "c"}) || c.Devices != "/x" || c.NodeTimeout.Seconds() != 9 {
		t.Errorf("%+v", c)
	}
	if s.Constraints.MaxHeaderCount() != 50 || s.Constraints.MaxFileSize != 5368709122 || c.Log.Name != "object-server" || s.FailureThreshold != 100 {
		t.Errorf("%+v", c)
	}
}

// Where each value came from, over a folder of files.
func TestOrigins(t *testing.T) {
	path := writeConf(t, "-- a.conf --\n[DEFAULT]\n\ndevices = /d\nuser = a\n[object-replicator]\nconcurrency = 2\nrun_pause = 9\n"+
		"-- b.conf --\n[object-replicator]\nuser = b\nrsync_module = //\n")
	c, err := Load(path, Options{SwiftConf: swiftConf(t)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"devices": "/a.conf:3 [DEFAULT]", "user": "/b.conf:2 [object-replicator]", "concurrency": "/a.conf:6 [object-replicator]",
		"interval": "/a.conf:7 [object-replicator]", "swift_dir": "default", "rsync_module": "default", "log_name": "default",
	}
	for _, v := range c.Values() {
		if w, ok := want[v.Option.Name]; ok && strings.TrimPrefix(v.Origin.String(), path) != w {
			t.Errorf("%s: %s, want %s", v.Option.Name, v.Origin, w)
		}
	}
	if b, err := json.Marshal(Origin{File: "f", Line: 3, Section: "s"}); err != nil || string(b) != `{"file":"f","line":3,"section":"s"}` {
		t.Errorf("%s, %v", b, err)
	}
}

// All problems are found, in the order in which Swift would meet them.
func TestProblems(t *testing.T) {
	r := Inspect(writeConf(t, "[object-replicator]\nconcurrency = x\ninterval = y\n"),
		Options{SwiftConf: writeFile(t, t.TempDir(), "swift.conf", "[storage-policy:1]\nname = a\n")})
	var got []string
	for _, err := range r.Problems {
		got = append(got, fmt.Sprintf("%T", err))
	}
	want := []string{"*config.PolicyError", "*config.ValueError", "*config.ValueError", "*config.HashError"}
	if !slices.Equal(got, want) {
		t.Errorf("%v: %v", got, r.Problems)
	}
}

func TestUnknown(t *testing.T) {
	r := Inspect(writeConf(t, "[DEFAULT]\nworkers = 4\nmydir = /x\ndevices = %(mydir)s\nconcurency = 2\n[object-replicator]\nrsync_modul = x\n"+
		"set log_level = DEBUG\nfrobnicate = 1\nworkers = 3\nInterval = 4\n[app:object-server]\nnonsense = 1\n"), Options{SwiftConf: swiftConf(t)})
	var got []string
	for _, u := range r.Unknown {
		got = append(got, u.Key+" "+u.Nearest)
	}
	if want := []string{"concurency concurrency", "rsync_modul rsync_module", "set log_level ", "frobnicate ", "workers "}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(r.Problems) != 0 {
		t.Error(r.Problems)
	}
}
