package ssync

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
	wire "understudy/internal/swift/ssync"
	"understudy/internal/transport/conformance"
	"understudy/messages"
)

var paths = hashpath.Hasher{Suffix: []byte(conformance.HashPathSuffix)}

// rig is a device sda here, a device sdb of a real object server there, and a
// transport between them.
type rig struct {
	*Transport
	t       *testing.T
	server  *server
	log     *logLines
	here    side
	there   side
	objects func(Objects) Objects // stands between the transport and the disk; nil for nothing
}

func newRig(t *testing.T, options ...string) *rig {
	t.Helper()
	return rigTo(t, startServer(t, options...))
}

// rigTo is newRig with some object server. Changes are made to its Config.
func rigTo(t *testing.T, to *server, changes ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, log: &logLines{}, server: to}
	canon := &canonical{}
	r.here = side{t, filepath.Join(t.TempDir(), "here"), "sda", canon}
	r.there = side{t, r.server.root, "sdb", canon}
	mustMkdir(t, filepath.Join(r.here.root, "sda", "objects"))
	disks := store.New(store.Options{
		Root: r.here.root, ReclaimAge: 100 * 365 * 24 * time.Hour, Log: zerolog.New(r.log),
	})
	cfg := Config{
		ConnTimeout: patience, NodeTimeout: patience, HTTPTimeout: patience, Log: zerolog.New(r.log),
		Open: func(ctx context.Context, job messages.SyncJob) (Objects, error) {
			open := disks.OpenObjects
			if job.Handoff {
				open = disks.OpenHeld
			}
			o, err := open(ctx, job.Partition, paths)
			if err != nil {
				return nil, err
			}
			if r.objects != nil {
				return r.objects(o), nil
			}
			return o, nil
		},
	}
	for _, change := range changes {
		change(&cfg)
	}
	r.Transport = mustNew(t, cfg)
	return r
}

func mustNew(t testing.TB, cfg Config) *Transport {
	t.Helper()
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (r *rig) job(part uint32, suffixes ...string) messages.SyncJob {
	return messages.SyncJob{
		Partition: messages.Partition{Device: "sda", Number: part}, Region: 1, Suffixes: suffixes,
		Node: messages.Node{Region: 1, ReplicationIP: "127.0.0.1", ReplicationPort: r.server.port, Device: "sdb"},
	}
}

// revert is a revert job of all that the partition holds.
func (r *rig) revert(part uint32) messages.SyncJob {
	job := r.job(part, r.here.suffixes(part)...)
	job.Handoff = true
	return job
}

func (r *rig) sync(job messages.SyncJob) messages.SyncResult {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	res, err := r.Sync(ctx, job)
	if err != nil {
		r.t.Fatalf("sync: %v", err)
	}
	return res
}

func (r *rig) mustSync(job messages.SyncJob) messages.Files {
	r.t.Helper()
	res := r.sync(job)
	if !res.OK {
		r.t.Fatalf("the sync was no success:\n%s\nserver:\n%s", r.log, r.server.output())
	}
	return res.Proven
}

// side is a device in a directory.
type side struct {
	t      testing.TB
	root   string
	device string
	canon  *canonical
}

func (s side) dir(part uint32) string {
	return filepath.Join(s.root, messages.Partition{Device: s.device, Number: part}.String())
}

func (s side) suffixes(part uint32) (out []string) {
	s.t.Helper()
	entries, err := os.ReadDir(s.dir(part))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// Put stores a file of the conformance suite.
func (s side) Put(part uint32, path string, f conformance.File) {
	s.t.Helper()
	path = filepath.Join(s.dir(part), path)
	mustWrite(s.t, path, f.Data)
	if f.Metadata == "" {
		return
	}
	s.canon.remember(s.t, f.Metadata)
	if err := unix.Setxattr(path, metadata.Attribute, []byte(f.Metadata), 0); err != nil {
		s.t.Fatal(err)
	}
}

var objectFile = regexp.MustCompile(`^[0-9a-f]{3}/[0-9a-f]{32}/`)

// Files are the files of the partition's objects; nil when there is no partition.
func (s side) Files(part uint32) map[string]conformance.File {
	s.t.Helper()
	dir := s.dir(part)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files := map[string]conformance.File{}
	for _, name := range names(s.t, dir) {
		path := filepath.Join(dir, name)
		if i, err := os.Stat(path); err != nil || i.IsDir() || !objectFile.MatchString(name) {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		files[name] = conformance.File{Data: string(data), Metadata: s.canon.of(s.t, path)}
	}
	return files
}

// canonical knows metadata by what it says: a receiver pickles it again.
type canonical struct {
	mu  sync.Mutex
	raw map[string]string
}

func said(m metadata.Metadata) string {
	var lines []string
	for _, p := range m {
		lines = append(lines, p.Name+": "+p.Value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (c *canonical) remember(t testing.TB, raw string) {
	t.Helper()
	m, err := metadata.Decode([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raw == nil {
		c.raw = map[string]string{}
	}
	c.raw[said(m)] = raw
}

// of is a file's metadata as it was remembered, or what it says.
func (c *canonical) of(t testing.TB, path string) string {
	t.Helper()
	m, err := metadata.ReadPath(path)
	if errors.Is(err, metadata.ErrMissing) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if raw, ok := c.raw[said(m)]; ok {
		return raw
	}
	return said(m)
}

// object writes one file of an object and returns the object's directory, below
// the partition.
func (s side) object(part uint32, name, file, body string, m metadata.Metadata) string {
	s.t.Helper()
	p := strings.SplitN(name, "/", 4)
	hash := paths.Hex(p[1], p[2], p[3])
	dir := filepath.Join(hash[29:], hash)
	path := filepath.Join(s.dir(part), dir, file)
	mustWrite(s.t, path, body)
	f, err := os.Open(path)
	if err == nil {
		err = metadata.Write(f, append(metadata.Metadata{{Name: "name", Value: name}}, m...))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	f.Close()
	return dir
}

// data writes a data file; more are further headers.
func (s side) data(part uint32, name, at, body string, more ...string) string {
	s.t.Helper()
	sum := md5.Sum([]byte(body))
	m := metadata.Metadata{
		{Name: "X-Timestamp", Value: at},
		{Name: "Content-Type", Value: "text/plain"},
		{Name: "Content-Length", Value: strconv.Itoa(len(body))},
		{Name: "ETag", Value: hex.EncodeToString(sum[:])},
	}
	return s.object(part, name, at+".data", body, append(m, pairs(more)...))
}

func (s side) tombstone(part uint32, name, at string) string {
	s.t.Helper()
	return s.object(part, name, at+".ts", "", metadata.Metadata{{Name: "X-Timestamp", Value: at}})
}

// post writes metadata of a POST under a file name.
func (s side) post(part uint32, name, file, at string, more ...string) string {
	s.t.Helper()
	return s.object(part, name, file, "", append(metadata.Metadata{{Name: "X-Timestamp", Value: at}}, pairs(more)...))
}

func pairs(list []string) (m metadata.Metadata) {
	for i := 0; i < len(list); i += 2 {
		m = append(m, metadata.Pair{Name: list[i], Value: list[i+1]})
	}
	return m
}

// between is a disk with something in the way.
type between struct {
	Objects
	open func(hash string, open func() (*wire.Object, error)) (*wire.Object, error)
}

func (b between) Open(ctx context.Context, hash string) (*wire.Object, error) {
	return b.open(hash, func() (*wire.Object, error) { return b.Objects.Open(ctx, hash) })
}

// logLines collects log events.
type logLines struct {
	mu     sync.Mutex
	events []event
}

type event struct {
	Level, Message, Error string
	Swift                 bool
}

func (l *logLines) Write(p []byte) (int, error) {
	var e event
	if err := json.Unmarshal(p, &e); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return len(p), nil
}

func (l *logLines) all() []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

func (l *logLines) String() string {
	var b strings.Builder
	for _, e := range l.all() {
		b.WriteString(e.Level + " " + e.Message + " " + e.Error + "\n")
	}
	return b.String()
}

// has tells whether a line of a level begins so.
func (l *logLines) has(level, begin string) bool {
	return slices.ContainsFunc(l.all(), func(e event) bool { return e.Level == level && strings.HasPrefix(e.Message, begin) })
}

// swift are the lines in Swift's words, of level error and worse.
func (l *logLines) swift() (lines []string) {
	for _, e := range l.all() {
		if e.Swift && e.Level == "error" {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Fixture {
		r := newRig(t, "replication_concurrency = 0", "replication_concurrency_per_device = 0")
		return conformance.Fixture{
			Transport: r, Job: r.job, Source: r.here, Target: r.there,
			Unmount: r.server.unmount, Freeze: r.server.freeze,
			MountPoint: func() []string { return names(t, r.server.device()) },
		}
	})
}
