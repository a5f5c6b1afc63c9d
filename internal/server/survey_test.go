package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/native"
	"understudy/internal/server"
	"understudy/internal/store"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

var cluster = native.ClusterOf([]byte("under"), []byte("study"))

// surveyed is a server over real files that takes surveys.
type surveyed struct {
	*testing.T
	root    string
	store   *store.Store
	address string
}

func newSurveyed(t *testing.T, change func(*server.Config)) *surveyed {
	t.Helper()
	s := &surveyed{T: t, root: t.TempDir()}
	s.store = store.New(store.Options{Root: s.root, ReclaimAge: 1000 * 24 * time.Hour, Log: zerolog.Nop()})
	cfg := server.Config{Store: s.store, Policies: policies, Log: zerolog.Nop(), Lane: &server.Lane{
		Store: s.store, Cluster: cluster, Ring: func(policy int) uint64 { return map[int]uint64{0: 10, 1: 11}[policy] },
	}}
	if change != nil {
		change(&cfg)
	}
	s.address = start(t, server.New(cfg))
	return s
}

// object makes a partition with one object, and another one for each further time.
func (s *surveyed) object(device string, policy, part, n int) {
	s.Helper()
	suffix := fmt.Sprintf("%03x", n)
	dir := filepath.Join(s.root, device, messages.ObjectsDir(policy), fmt.Sprint(part), suffix, fmt.Sprintf("%029x%s", n, suffix))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("17%08d.00000.data", n)), nil, 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s *surveyed) hashes(device string, policy, part int) messages.Hashes {
	s.Helper()
	r, err := s.store.Hashes(s.Context(), messages.Partition{Device: device, Policy: policy, Number: uint32(part)}, messages.HashOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return r.Hashes
}

func digestOf(t *testing.T, h messages.Hashes) messages.Digest {
	t.Helper()
	d, err := native.DigestOf(h)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// send posts a survey and returns status, refusal, and body.
func (s *surveyed) send(path, lane string, body []byte) (int, http.Header, []byte) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), native.Method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set(native.Header, lane)
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, resp.Header, out
}

func (s *surveyed) survey(q *native.Request) *native.Answer {
	s.Helper()
	body := q.Encode()
	status, header, out := s.send("/", native.Offer, body)
	if status != http.StatusOK || header.Get(native.Header) != native.Offer {
		s.Fatalf("status %d, %v, %q", status, header, out)
	}
	a, err := native.DecodeAnswer(out, q, body)
	if err != nil {
		s.Fatal(err)
	}
	return a
}

func entries(from int, digests ...messages.Digest) (list []native.Entry) {
	for i, d := range digests {
		list = append(list, native.Entry{Partition: uint32(from + i), Digest: d})
	}
	return list
}

// asked is a request with this test's rings.
func asked(groups ...native.Group) *native.Request {
	return &native.Request{
		Cluster: cluster, Within: 10 * time.Second, Rings: []native.Ring{{Policy: 0, Version: 10}, {Policy: 1, Version: 0}, {Policy: 7, Version: 3}}, Groups: groups,
	}
}

// Real files on two devices: what is the same is not named, what differs is told with
// the hashes that REPLICATE gives, a device or policy that is not there is told once.
func TestSurvey(t *testing.T) {
	s := newSurveyed(t, nil)
	for part := range 4 {
		s.object("sda", 0, part, part)
		s.object("sdb", 1, part, part)
	}
	same := func(device string, policy, part int) messages.Digest {
		return digestOf(t, s.hashes(device, policy, part))
	}
	other := digestOf(t, messages.Hashes{"abc": ""})
	none := digestOf(t, nil)
	s.object("sda", 0, 2, 9)
	if err := s.store.Invalidate(t.Context(), messages.Partition{Device: "sda", Number: 2}, []string{"009"}); err != nil {
		t.Fatal(err)
	}
	a := s.survey(asked(
		native.Group{Device: "sd", Policy: 0, Entries: entries(0, other)},
		native.Group{Device: "sda", Policy: 0, Entries: entries(0, same("sda", 0, 0), other, other, same("sda", 0, 3), none, other)},
		native.Group{Device: "sda", Policy: 7, Entries: entries(0, other)},
		native.Group{Device: "sdb", Policy: 0, Entries: entries(3, none)},
		native.Group{Device: "sdb", Policy: 1, Entries: entries(3, same("sdb", 1, 3))},
		native.Group{Device: "x/y", Policy: 1, Entries: entries(3, other)},
	))
	want := []native.State{native.Unavailable, native.Looked, native.NoPolicy, native.Looked, native.Looked, native.Unavailable}
	if fmt.Sprint(a.Groups) != fmt.Sprint(want) {
		t.Errorf("groups %v, want %v", a.Groups, want)
	}
	got := map[int]messages.Hashes{}
	for _, f := range a.Findings {
		if f.Kind != native.Differs {
			t.Errorf("finding %+v", f)
		}
		got[f.Index] = f.Hashes
	}
	if len(got) != 3 || !maps.Equal(got[2], s.hashes("sda", 0, 1)) || !maps.Equal(got[3], s.hashes("sda", 0, 2)) || len(got[3]) != 2 || len(got[6]) != 0 {
		t.Errorf("findings %+v", a.Findings)
	}
	// The same hashes by REPLICATE.
	r := ask(t, s.address, request("REPLICATE /sda/2"))
	if m, err := hashes.DecodeWire([]byte(r.body)); err != nil || !maps.Equal(m, got[3]) {
		t.Errorf("REPLICATE: %v, %v", m, err)
	}
	// A missing partition or device has not been made.
	for _, path := range []string{"sd", "sda/objects/4", "sda/objects-7", "sdb/objects"} {
		if _, err := os.Stat(filepath.Join(s.root, path)); err == nil {
			t.Errorf("%s was made", path)
		}
	}
	if a := s.survey(asked()); len(a.Groups)+len(a.Findings) != 0 {
		t.Errorf("an empty survey: %+v", a)
	}
}

// Nodes that must not work together are told so before anything else, with the
// versions and whose ring is older. What is not known is not compared.
func TestSurveyRefuses(t *testing.T) {
	s := newSurveyed(t, nil)
	for _, test := range []struct {
		name    string
		change  func(*native.Request)
		refusal string
		text    string
	}{
		{"swift.conf", func(q *native.Request) { q.Cluster = native.ClusterOf([]byte("underst"), []byte("udy")) }, native.OtherCluster, "swift_hash_path_prefix"},
		{"older", func(q *native.Request) { q.Rings[0].Version = 9 }, native.OtherRing, "version 9 on the asking node and 10 on the asked one: that of the asking node is older"},
		{"newer", func(q *native.Request) { q.Rings[1].Version = 12 }, native.OtherRing, "policy 1 has version 12 on the asking node and 11 on the asked one: that of the asked node is older"},
		{"a policy of no concern", func(q *native.Request) { q.Rings[0].Version = 0 }, "", ""},
	} {
		q := asked()
		q.Rings = q.Rings[:2]
		test.change(q)
		status, header, body := s.send("/", native.Offer, q.Encode())
		if test.refusal == "" && status == 200 {
			continue
		}
		if status != http.StatusConflict || header.Get(native.Refusal) != test.refusal || !strings.Contains(string(body), test.text) {
			t.Errorf("%s: %d %q %q", test.name, status, header.Get(native.Refusal), body)
		}
	}
}

// What is no survey is refused with a reason, and is never one half answered.
func TestSurveyBadRequests(t *testing.T) {
	f := &fake{}
	s := newSurveyed(t, func(c *server.Config) { c.Store = f })
	whole := asked(native.Group{Device: "sda", Entries: entries(1, messages.Digest{})}).Encode()
	twice := asked(native.Group{Device: "sda", Entries: append(entries(1, messages.Digest{}), entries(1, messages.Digest{})...)}).Encode()
	for _, test := range []struct {
		path, lane string
		body       []byte
		want       string
	}{
		{"/", native.Offer, whole[:len(whole)-1], "truncated"},
		{"/", native.Offer, append(bytes.Clone(whole), 0), "1 bytes too many"},
		{"/", native.Offer, twice, "partition 1 comes after 1"},
		{"/", native.Offer, nil, "truncated"},
		{"/", "survey/2", whole, `Lane "survey/2" is asked for, this node offers survey/1`},
		{"/", "", whole, "is asked for"},
		{"/sda", native.Offer, whole, "Invalid path: /sda"},
	} {
		status, _, body := s.send(test.path, test.lane, test.body)
		if status != http.StatusBadRequest || !strings.Contains(string(body), test.want) {
			t.Errorf("%q %q: %d %q, want %q", test.path, test.lane, status, body, test.want)
		}
	}
	// The head is enough to refuse a body that is too long: who went on sending it could
	// miss the answer.
	long := ask(t, s.address, fmt.Sprintf("SURVEY / HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n", native.Header, native.Offer, native.MaxRequest+1))
	if long.status != 400 || !strings.Contains(long.body, "at most") {
		t.Errorf("too long: %+v", long)
	}
	r := ask(t, s.address, "SURVEY / HTTP/1.1\r\nHost: x\r\n"+native.Header+": "+native.Offer+"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if r.status != 400 || r.body != "A survey has a Content-Length" {
		t.Errorf("chunked: %+v", r)
	}
	if len(f.calls) > 0 {
		t.Errorf("calls: %q", f.calls)
	}
}

// Without the lane the server is a stock one: no header, no method.
func TestNoLane(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"no lane":        func(c *server.Config) { c.Lane = nil },
		"no replication": func(c *server.Config) { c.NoReplication = true },
	} {
		s := newSurveyed(t, change)
		if status, header, _ := s.send("/", native.Offer, asked().Encode()); status != http.StatusMethodNotAllowed || header.Get(native.Header) != "" {
			t.Errorf("%s: %d %v", name, status, header)
		}
	}
}

// slow answers at once but for one device, where it waits.
type slow struct {
	inner  server.Digests
	device string
	gate   chan struct{}
	fail   error
}

func (s slow) Digests(ctx context.Context, device string, asks []messages.DigestAsk, each func(int, messages.DigestReport) bool) error {
	if s.fail != nil {
		return s.fail
	}
	if device != s.device {
		return s.inner.Digests(ctx, device, asks, each)
	}
	return s.inner.Digests(ctx, device, asks, func(i int, r messages.DigestReport) bool {
		if i == 1 {
			<-s.gate
		}
		return each(i, r)
	})
}

// A disk that hangs costs the survey its time, not its answer: the other disk's
// partitions are told, and of the sick one those that came before. The next survey
// finds no place there.
func TestSurveyHungDevice(t *testing.T) {
	gate := make(chan struct{})
	s := newSurveyed(t, func(c *server.Config) {
		c.Lane.Store = slow{inner: c.Lane.Store, device: "sdb", gate: gate}
		c.Limits.PerDevice, c.Limits.Survey = 1, 300*time.Millisecond
	})
	s.object("sda", 0, 1, 1)
	s.object("sdb", 0, 1, 1)
	other := digestOf(t, messages.Hashes{"abc": ""})
	q := asked(
		native.Group{Device: "sda", Entries: entries(1, digestOf(t, s.hashes("sda", 0, 1)), other)},
		native.Group{Device: "sdb", Entries: entries(1, other, other, other)},
	)
	a := s.survey(q)
	kinds := map[int]native.Kind{}
	for _, f := range a.Findings {
		kinds[f.Index] = f.Kind
	}
	want := map[int]native.Kind{1: native.Differs, 2: native.Differs, 3: native.Undone, 4: native.Undone}
	if a.Groups[1] != native.Looked || !maps.Equal(kinds, want) {
		t.Errorf("got %v %v, want %v", a.Groups, kinds, want)
	}
	if a := s.survey(q); a.Groups[0] != native.Looked || a.Groups[1] != native.Busy {
		t.Errorf("while it hangs: %+v", a)
	}
	close(gate)
}

// Trouble with all of a device is told as such; trouble with one partition as its own.
func TestSurveyFailures(t *testing.T) {
	s := newSurveyed(t, func(c *server.Config) {
		c.Store = &fake{hashes: func(context.Context) (messages.HashReport, error) {
			return messages.HashReport{}, errors.New("bad sector")
		}}
	})
	s.object("sda", 0, 1, 1)
	a := s.survey(asked(native.Group{Device: "sda", Entries: entries(1, messages.Digest{})}))
	if len(a.Findings) != 1 || a.Findings[0].Kind != native.Failed {
		t.Errorf("a partition that fails: %+v", a)
	}
	s = newSurveyed(t, func(c *server.Config) { c.Lane.Store = slow{fail: errors.New("no device")} })
	if a := s.survey(asked(native.Group{Device: "sda", Entries: entries(1, messages.Digest{})})); a.Groups[0] != native.Unavailable {
		t.Errorf("a device that fails: %+v", a)
	}
}

// More suffix hashes than an answer holds are left out; the partitions are named.
func TestSurveyAnswerIsBounded(t *testing.T) {
	full := messages.Hashes{}
	for i := range 4096 {
		full[fmt.Sprintf("%03x", i)] = strings.Repeat("0", 32)
	}
	s := newSurveyed(t, func(c *server.Config) {
		c.Store = &fake{hashes: func(context.Context) (messages.HashReport, error) { return messages.HashReport{Hashes: full}, nil }}
	})
	s.object("sda", 0, 1, 1)
	a := s.survey(asked(native.Group{Device: "sda", Entries: entries(1, make([]messages.Digest, 30)...)}))
	told := 0
	for _, f := range a.Findings {
		if f.Kind == native.Differs && len(f.Hashes) == 4096 {
			told++
		} else if f.Kind != native.Other {
			t.Errorf("%+v", f)
		}
	}
	if len(a.Findings) != 30 || told != native.MaxHashes/native.TableSize(full) {
		t.Errorf("%d findings, %d with hashes", len(a.Findings), told)
	}
}
