package plan

import (
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"understudy/messages"
)

func TestDiffer(t *testing.T) {
	for _, test := range []struct {
		name          string
		local, remote messages.Hashes
		want          []string
	}{
		{"equal", messages.Hashes{"abc": "1"}, messages.Hashes{"abc": "1"}, nil},
		{"other", messages.Hashes{"abc": "1"}, messages.Hashes{"abc": "2"}, []string{"abc"}},
		{"absent there", messages.Hashes{"b": "1", "a": "2"}, messages.Hashes{}, []string{"a", "b"}},
		{"absent here", messages.Hashes{}, messages.Hashes{"abc": "1"}, nil},
		{"None is not absent", messages.Hashes{"abc": ""}, messages.Hashes{}, []string{"abc"}},
		{"None equals None", messages.Hashes{"abc": ""}, messages.Hashes{"abc": ""}, nil},
		{"None differs from a hash", messages.Hashes{"abc": ""}, messages.Hashes{"abc": "1"}, []string{"abc"}},
	} {
		if got := Differ(test.local, test.remote); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// Ten passes list every partition exactly once.
func TestListsDir(t *testing.T) {
	for _, part := range []uint32{0, 1, 7, 10, 65535, math.MaxUint32} {
		n := 0
		for cycle := range 10 {
			if ListsDir(part, cycle) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("partition %d is listed %d times in ten passes", part, n)
		}
	}
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 6: 32, 7: 60, 8: 60, 100: 60, 1 << 30: 60} {
		want *= time.Second
		if got := Backoff(n, time.Second, time.Minute, 0); got != want {
			t.Errorf("wait %d is %v, want %v", n, got, want)
		}
		if got := Backoff(n, time.Second, time.Minute, 0.999); got <= want || got >= want+want/4 {
			t.Errorf("jittered wait %d is %v", n, got)
		}
	}
}

func TestStatsLines(t *testing.T) {
	var times Times
	for _, took := range []time.Duration{3 * time.Second, 500 * time.Microsecond, 250 * time.Millisecond} {
		times.Add(took)
	}
	p := Progress{
		Stats: messages.Stats{Counts: messages.Counts{
			Attempted: 100, Success: 190, Failure: 10, SuffixCount: 300, SuffixHash: 30, SuffixSync: 3,
		}},
		Jobs: 400, Spent: 50 * time.Second, Times: &times,
	}
	want := []string{
		"100/400 (25.00%) partitions replicated in 50.00s (2.00/sec, 2m remaining)",
		"190 successes, 10 failures",
		"300 suffixes checked - 10.00% hashed, 1.00% synced",
		"Partition times: max 3.0000s, min 0.0005s, med 0.2500s",
	}
	if got := StatsLines(p, true); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := StatsLines(p, false); !slices.Equal(got, []string{"Nothing replicated for 50.0 seconds."}) {
		t.Errorf("got %q", got)
	}
}

func TestETA(t *testing.T) {
	for _, test := range []struct {
		spent       float64
		done, total int
		want        string
	}{{10, 1, 7, "60s"}, {10, 10, 71, "1m"}, {1, 1, 3601, "60m"}, {1, 1, 7201, "2h"}, {5, 9, 9, "0s"}, {5, 10, 9, "0s"}} {
		if got := eta(test.spent, test.done, test.total); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

func TestPyFloat(t *testing.T) {
	for f, want := range map[float64]string{
		30: "30.0", 0: "0.0", 0.1: "0.1", 1e16: "1e+16", 0.00001: "1e-05", 123456.789: "123456.789", 1e15: "1000000000000000.0",
	} {
		if got := PyFloat(f); got != want {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
}

type ring struct {
	primaries []messages.Node
	local     []messages.Node
}

func (r ring) Partitions() uint32                      { return 4 }
func (r ring) NextPartPower() bool                     { return false }
func (r ring) Replicas() float64                       { return 3 }
func (r ring) Primaries(uint32) []messages.Node        { return r.primaries }
func (r ring) Handoffs(uint32) iter.Seq[messages.Node] { return slices.Values([]messages.Node(nil)) }
func (r ring) Devices() []messages.Node                { return nil }
func (r ring) Local() []messages.Node                  { return r.local }

func TestRoleOf(t *testing.T) {
	all := nodes(0, 4, 1)
	r := ring{primaries: all[:3], local: []messages.Node{all[0], all[3]}}
	if role, ok := RoleOf(r, "d0", 3); !ok || role.Kind != messages.Update || len(role.Peers) != 2 {
		t.Errorf("primary: %+v %v", role, ok)
	}
	if role, ok := RoleOf(r, "d3", 3); !ok || role.Kind != messages.Revert || len(role.Peers) != 3 {
		t.Errorf("handoff: %+v %v", role, ok)
	}
	for name, test := range map[string]struct {
		device string
		part   uint32
	}{"outside the ring": {"d0", 4}, "not a local device": {"d1", 0}, "unknown device": {"x", 0}} {
		if _, ok := RoleOf(r, test.device, test.part); ok {
			t.Errorf("%s has a role", name)
		}
	}
	if _, ok := RoleOf(nil, "d0", 0); ok {
		t.Error("no ring, but a role")
	}
}
