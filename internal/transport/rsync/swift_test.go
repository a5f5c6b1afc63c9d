package rsync

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/messages"
)

//go:embed testdata/record.py
var recordScript string

// fakeRsync notes its arguments, and does what RSYNC_SCRIPT says.
const fakeRsync = "#!/bin/sh\nfor a in rsync \"$@\"; do printf '%s\\0' \"$a\"; done >\"$RSYNC_ARGV\"\neval \"$RSYNC_SCRIPT\"\n"

// swiftCase is one sync that both Swift and we do. Its devices directory holds
// the suffixes in exists.
type swiftCase struct {
	name   string
	conf   map[string]string
	node   messages.Node
	region int
	policy int
	sync   []string // suffixes to sync
	exists []string // suffixes that exist
	gone   bool     // the partition does not exist
	revert bool
	script string // what rsync does
}

var swiftNode = messages.Node{
	ID: 1, Region: 1, Zone: 2, IP: "10.0.0.1", Port: 6200,
	ReplicationIP: "10.1.0.1", ReplicationPort: 6210, Device: "sdb1", Meta: "rack=7",
}

func swiftCases() []swiftCase {
	v6 := swiftNode
	v6.IP, v6.ReplicationIP = "fe80::1", "2001:db8::7"
	two := []string{"abc", "def"}
	module := func(s string) map[string]string { return map[string]string{"rsync_module": s} }
	cases := []swiftCase{
		{name: "plain", conf: map[string]string{}},
		{name: "ipv6", conf: map[string]string{}, node: v6},
		{name: "ipv6 client address", conf: module("rsync://{ip}:{port}/object"), node: v6},
		{name: "mapped ipv4", conf: map[string]string{}, node: messages.Node{ReplicationIP: "::ffff:10.0.0.1", Device: "d"}},
		{name: "host name", conf: map[string]string{}, node: messages.Node{ReplicationIP: "node-7.example.org", Device: "d"}},
		{name: "policy", policy: 3},
		{name: "compress here", conf: map[string]string{"rsync_compress": "yes"}},
		{name: "compress there", conf: map[string]string{"rsync_compress": "yes"}, region: 2},
		{name: "another region", region: 2},
		{name: "limits", conf: map[string]string{"rsync_io_timeout": "7", "rsync_bwlimit": "1.5m"}},
		{name: "all fields", conf: module("rsync://{replication_ip}:{replication_port}/{ip}_{port}_r{region}z{zone}_{device}_{meta}")},
		{name: "per device", conf: module("{replication_ip}::object_{device}")},
		{name: "saio", conf: module("{replication_ip}::object{replication_port}/")},
		{name: "slashes", conf: module("{replication_ip}::object///")},
		{name: "only slashes", conf: module("//")},
		{name: "braces", conf: module("{replication_ip}::{{object}}")},
		{name: "empty meta", conf: module("{replication_ip}::object/{meta}"), node: messages.Node{ReplicationIP: "10.0.0.9", Device: "d"}},
		{name: "unknown field", conf: module("{replication_ip}::{dev}")},
		{name: "unknown field with a space", conf: module("{replication_ip}::{device }")},
		{name: "unknown field with a quote", conf: module("{dev'ice}::x")},
		{name: "single close", conf: module("{replication_ip}::object}")},
		{name: "single open", conf: module("{replication_ip}::object{")},
		{name: "never closed", conf: module("{replication_ip}::object{dev")},
		{name: "one suffix gone", exists: []string{"def"}},
		{name: "all suffixes gone", exists: []string{"123"}},
		{name: "partition gone", gone: true},
		{name: "partition gone in a revert", gone: true, revert: true},
		{name: "revert", revert: true},
		{name: "order and repeats", sync: []string{"def", "abc", "def"}, exists: two},
		{name: "update fails", script: "echo oh dear; echo again >&2; exit 23"},
		{name: "revert fails", script: "exit 24", revert: true},
		{name: "silent failure", script: "exit 12"},
		{name: "signal", script: "kill -9 $$"},
		{name: "transfers", script: `printf 'cd+++++++++ abc/\n<f+++++++++ abc/x.data\n\nsent 1 byte\n\n'`},
		{name: "no transfers", conf: map[string]string{"log_rsync_transfers": "no"}, script: `printf 'cd+++++++++ abc/\n<f+++++++++ abc/x.data\n\nsent 1 byte\n\n'; exit 3`},
		{name: "only dropped lines", conf: map[string]string{"log_rsync_transfers": "no"}, script: `printf '<f+++++++++ abc/x.data\n'`},
		{name: "carriage returns", script: `printf 'a\rb\r\nc'`},
		{name: "short lines", conf: map[string]string{"rsync_error_log_line_length": "41"}, script: "echo a line that is longer than the limit of an error line; exit 1"},
		{name: "timeout", conf: map[string]string{"rsync_timeout": "1"}, script: "exec sleep 60"},
		{name: "timeout of a revert, cut", conf: map[string]string{"rsync_timeout": "1", "rsync_error_log_line_length": "30"}, script: "exec sleep 60", revert: true},
	}
	for i := range cases {
		c := &cases[i]
		if c.node == (messages.Node{}) {
			c.node = swiftNode
		}
		if c.sync == nil {
			c.sync = two
		}
		if c.exists == nil {
			c.exists = c.sync
		}
		if c.region == 0 {
			c.region = 1
		}
		if c.node.Region == 0 {
			c.node.Region = 1
		}
	}
	return cases
}

// done is what came of a case.
type done struct {
	Argv      []string    `json:"argv"`
	OK        bool        `json:"ok"`
	Error     string      `json:"error"`
	Replicate []any       `json:"replicate"`
	Log       [][2]string `json:"log"`
}

// TestAsSwift gives the same syncs to Swift's own replicator and to ours, with a
// fake rsync, and compares all that can be seen: rsync's command line, the log,
// the request that follows, the answer.
func TestAsSwift(t *testing.T) {
	cases := swiftCases()
	bin := fakeOnPath(t)
	root := filepath.Join(t.TempDir(), "it's \"nöde\"")
	var input []map[string]any
	for i, c := range cases {
		devices := filepath.Join(root, strconv.Itoa(i))
		if !c.gone {
			for _, suffix := range c.exists {
				mustMkdir(t, filepath.Join(devices, c.partition().String(), suffix))
			}
		}
		input = append(input, c.forSwift(devices))
	}
	want := recordSwift(t, input, len(cases))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := c.ours(t, filepath.Join(root, strconv.Itoa(i)), filepath.Join(bin, "argv"))
			if w := want[i]; !reflect.DeepEqual(got, w) {
				t.Errorf("we and Swift differ\nours  %+v\nSwift %+v", got, w)
			}
		})
	}
}

func (c swiftCase) partition() messages.Partition {
	return messages.Partition{Device: "sda", Policy: c.policy, Number: 31415}
}

func (c swiftCase) forSwift(devices string) map[string]any {
	n := c.node
	conf := c.conf
	if conf == nil {
		conf = map[string]string{}
	}
	return map[string]any{
		"devices": devices, "conf": conf, "script": c.script,
		"node": map[string]any{
			"id": n.ID, "region": n.Region, "zone": n.Zone, "ip": n.IP, "port": n.Port, "meta": n.Meta,
			"replication_ip": n.ReplicationIP, "replication_port": n.ReplicationPort, "device": n.Device,
		},
		"job": map[string]any{
			"device": "sda", "partition": "31415", "policy": c.policy, "region": c.region,
			"delete": c.revert, "suffixes": c.sync,
		},
	}
}

func recordSwift(t *testing.T, cases []map[string]any, n int) []done {
	t.Helper()
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", recordScript)
	cmd.Stdin = bytes.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift: %v\n%s", err, stderr.String())
	}
	var recorded []done
	if err := json.Unmarshal(out, &recorded); err != nil || len(recorded) != n {
		t.Fatalf("read Swift's answers: %v, %d of %d\n%s", err, len(recorded), n, stderr.String())
	}
	for i := range recorded {
		recorded[i].Error = strings.TrimPrefix(recorded[i].Error, "ValueError: ")
	}
	return recorded
}

// ours runs the case with a Transport.
func (c swiftCase) ours(t *testing.T, devices, argvFile string) done {
	t.Helper()
	t.Setenv("RSYNC_SCRIPT", c.script)
	_ = os.Remove(argvFile)
	peers := &fakePeers{}
	log := &logLines{}
	cfg := Config{
		NamesAreProof: true, // what Swift takes for one
		Devices:       devices, Module: c.conf["rsync_module"], IOTimeout: or(c.conf["rsync_io_timeout"], "30"),
		BWLimit: or(c.conf["rsync_bwlimit"], "0"), Timeout: 900 * time.Second,
		Compress: c.conf["rsync_compress"] == "yes", LogTransfers: c.conf["log_rsync_transfers"] != "no",
		Suffixes: existing(devices), Peers: peers, Log: zerolog.New(log),
	}
	if s := c.conf["rsync_timeout"]; s != "" {
		cfg.Timeout, _ = time.ParseDuration(s + "s")
	}
	cfg.ErrorLogLineLength, _ = strconv.Atoi(c.conf["rsync_error_log_line_length"])
	tr := mustNew(t, cfg)
	res, err := tr.Sync(t.Context(), messages.SyncJob{
		Partition: c.partition(), Region: c.region, Node: c.node, Suffixes: c.sync, Handoff: c.revert,
	})
	d := done{OK: res.OK, Log: log.swift()}
	if err != nil {
		d.Error = err.Error()
	}
	for _, call := range peers.calls() {
		d.Replicate = []any{
			call.node.ReplicationIP, float64(call.node.ReplicationPort), call.node.Device,
			strconv.Itoa(int(call.part)), "/" + messages.JoinSuffixes(call.suffixes), float64(call.policy),
		}
	}
	if data, err := os.ReadFile(argvFile); err == nil {
		d.Argv = strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
	}
	return d
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// fakeOnPath puts the fake rsync before all others, and returns its directory.
func fakeOnPath(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "rsync"), []byte(fakeRsync), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("RSYNC_ARGV", filepath.Join(bin, "argv"))
	t.Setenv("RSYNC_SCRIPT", "")
	return bin
}

func mustMkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func mustNew(t *testing.T, cfg Config) *Transport {
	t.Helper()
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// existing finds suffix directories the way a store does.
func existing(devices string) func(context.Context, messages.Partition, []string) ([]string, error) {
	return func(_ context.Context, p messages.Partition, suffixes []string) ([]string, error) {
		var found []string
		for _, suffix := range suffixes {
			path := filepath.Join(devices, p.String(), suffix)
			if _, err := os.Stat(path); err == nil {
				found = append(found, path)
			}
		}
		return found, nil
	}
}

// fakePeers notes invalidations.
type fakePeers struct {
	mu   sync.Mutex
	seen []invalidation
	err  error
}

type invalidation struct {
	node     messages.Node
	policy   int
	part     uint32
	suffixes []string
}

func (p *fakePeers) Invalidate(ctx context.Context, node messages.Node, policy int, part uint32, suffixes []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, invalidation{node, policy, part, suffixes})
	return p.err
}

func (p *fakePeers) calls() []invalidation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// logLines keeps log entries.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

var elapsed = regexp.MustCompile(`\(\d+\.\d{3}\)$`)

// swift is the log as levels and texts, without the lines that Swift has not.
func (l *logLines) swift() [][2]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := [][2]string{}
	for _, line := range l.lines {
		var entry struct{ Level, Message string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			panic(err)
		}
		if entry.Message != "no suffix left to sync" {
			out = append(out, [2]string{entry.Level, elapsed.ReplaceAllString(entry.Message, "(TIME)")})
		}
	}
	return out
}

// has reports whether a line of a level contains a text.
func (l *logLines) has(level, text string) bool {
	for _, line := range l.swift() {
		if line[0] == level && strings.Contains(line[1], text) {
			return true
		}
	}
	return false
}
