package bootstrap_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"understudy/actors"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// updateOnly leaves partition 0 of policy 0: a primary with nodes 1 and 2.
var updateOnly = actors.Overrides{Partitions: []uint32{0}, Policies: []int{0}}

// One pass over an object of each policy: each other primary is asked, gets the
// suffix by rsync with Swift's command line, and is told to hash it afresh.
func TestBehaviourRunOnce(t *testing.T) {
	for policy, dir := range []string{"objects", "objects-1"} {
		r := newRig(t)
		_, suffix := r.object(policy, "0", "o")
		stats := r.pass()
		from := r.at(policy, suffix)
		var got []string
		for _, p := range r.pushes() {
			got = append(got, strings.Join(p.argv, " "))
		}
		var want []string
		asked := map[string]int{}
		for _, id := range []int{1, 2} {
			want = append(want, "--recursive --whole-file --human-readable --xattrs --itemize-changes --ignore-existing --timeout=30 "+
				"--contimeout=30 --bwlimit=0 --exclude=.*.[0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z] "+
				from+" "+r.peers[id].ip+"::object/sda/"+dir+"/0")
			asked[fmt.Sprintf("%d %d /sda/0", id, policy)]++
			asked[fmt.Sprintf("%d %d /sda/%s", id, policy, suffix)]++
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("rsync got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		requests := r.requests()
		maps.DeleteFunc(requests, func(request string, _ int) bool {
			return !strings.Contains(request, fmt.Sprintf(" %d /sda/0", policy))
		})
		if !maps.Equal(requests, asked) {
			t.Errorf("asked %v, want %v", requests, asked)
		}
		if c := stats.Counts; c.Attempted != 8 || c.SuffixCount != 1 || c.SuffixHash != 1 || c.SuffixSync != 2 || c.Rsync != 2 || c.Failure != 0 {
			t.Errorf("got %+v", c)
		}
		r.mustSay("error")
		r.mustSay("info", "Running object replicator in script mode.", "8/8 (100.00%) partitions replicated in …",
			"18 successes, 0 failures", "1 suffixes checked - 100.00% hashed, 200.00% synced", "Partition times: max …",
			"Removing partition: "+r.at(0, "1"), "Removing partition: "+r.at(1, "1"),
			"Object replication complete (once). (0.…")
		recon := r.recon()
		if recon["replication_stats"].(map[string]any)["attempted"] != 8.0 || recon["replication_last"] != recon["object_replication_last"] ||
			recon["replication_time"] != recon["object_replication_time"] || recon["object_replication_per_disk"] != nil {
			t.Errorf("recon %v", recon)
		}
	}
}

// What the peers of an update job may answer, and what follows: who is asked next,
// which lines, which numbers. Only a disk that is not mounted is replaced, and with
// handoff_delete only as long as a handoff could not yet be given up.
func TestBehaviourUpdateAnswers(t *testing.T) {
	unmounted := func(ids ...int) map[int]int {
		out := map[int]int{}
		for _, id := range ids {
			out[id] = http.StatusInsufficientStorage
		}
		return out
	}
	for _, c := range []struct {
		name    string
		conf    string
		status  map[int]int // by peer; others are in sync
		body    string      // of a 200 from node 1, when not empty
		asked   int         // nodes
		success int
		line    string // for each failed node
	}{
		{"in sync", "", nil, "", 2, 2, ""},
		{"500", "", map[int]int{1: 500, 2: 500}, "", 2, 0, "Invalid response 500 from %s"},
		{"400", "", map[int]int{2: 400}, "", 2, 1, "Invalid response 400 from %s"},
		{"503 is not 507", "", map[int]int{1: 503}, "", 2, 1, "Invalid response 503 from %s"},
		{"garbage", "", nil, "garbage", 2, 1, "Error syncing with node: %s: …"},
		{"one unmounted", "", unmounted(1), "", 3, 2, "%s responded as unmounted"},
		{"all but one unmounted", "", unmounted(1, 2, 3, 4, 5), "", 6, 1, "%s responded as unmounted"},
		{"all unmounted", "", unmounted(1, 2, 3, 4, 5, 6), "", 6, 0, "%s responded as unmounted"},
		// Two copies suffice: this node and one of the two others.
		{"one unmounted, two suffice", "handoff_delete = 2", unmounted(1), "", 2, 1, "%s responded as unmounted"},
		{"both unmounted, two suffice", "handoff_delete = 2", unmounted(1, 2), "", 3, 1, "%s responded as unmounted"},
		{"one unmounted, one suffices", "handoff_delete = 1", unmounted(1, 2), "", 2, 0, "%s responded as unmounted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			if c.conf != "" {
				r.set(c.conf)
			}
			_, suffix := r.object(0, "0", "o")
			for id, p := range r.peers[1:] {
				switch status := c.status[id+1]; {
				case status != 0:
					p.says(status, nil)
				case c.body != "" && id == 0:
					p.says(http.StatusOK, []byte(c.body))
				default:
					p.says(http.StatusOK, wire(true, suffix))
				}
			}
			stats := r.passOf(updateOnly)
			requests := r.requests()
			failures := c.asked - c.success
			if len(requests) != c.asked || stats.Success != c.success || stats.Failure != failures {
				t.Errorf("asked %v, want %d; %+v, want %d successes", requests, c.asked, stats, c.success)
			}
			var lines []string
			for id := range r.peers {
				status := c.status[id]
				if _, asked := requests[fmt.Sprintf("%d 0 /sda/0", id)]; asked && (status != 0 || c.body != "" && id == 1) {
					lines = append(lines, strings.ReplaceAll(c.line, "%s", r.peers[id].String()))
				}
			}
			want := messages.Counts{Attempted: 1, HashMatch: c.success, Success: c.success, Failure: failures, SuffixCount: 1, SuffixHash: 1}
			if len(c.status) > 4 { // fewer than two nodes are left
				lines = append(lines, "Ran out of handoffs while replicating partition 0 of policy 0")
				want.SuffixCount = 0
			}
			if stats.Counts != want || len(stats.FailureNodes) != failures {
				t.Errorf("got %+v, want %+v", stats, want)
			}
			r.mustSay("error", lines...)
		})
	}
}

// An update pushes only what differs, to the replication address, and the numbers
// of an empty partition are all zero.
func TestBehaviourUpdateNumbers(t *testing.T) {
	r := newRig(t)
	stats := r.passOf(updateOnly)
	if want := (messages.Counts{Attempted: 1, HashMatch: 2, Success: 2}); stats.Counts != want {
		t.Errorf("empty: %+v, want %+v", stats.Counts, want)
	}
	_, suffix := r.object(0, "0", "o")
	_, other := r.object(0, "0", "p")
	if suffix == other {
		t.Fatal("the objects share a suffix")
	}
	r.remove(r.at(0, "0/hashes.pkl"))
	r.peers[1].says(http.StatusOK, wire(true, suffix, other))
	r.peers[2].says(http.StatusOK, append([]byte{}, wire(true, suffix)...))
	stats = r.passOf(updateOnly)
	if want := (messages.Counts{Attempted: 1, HashMatch: 1, Success: 2, Rsync: 1, SuffixCount: 2, SuffixHash: 2, SuffixSync: 1}); stats.Counts != want {
		t.Errorf("one differs: %+v, want %+v", stats.Counts, want)
	}
	if got := r.targets(); !slices.Equal(got, []string{"objects/" + other + " → 2"}) {
		t.Errorf("pushed %q", got)
	}
}

// A remote region gets one copy in a job.
func TestBehaviourUpdateOneCopyForARegion(t *testing.T) {
	r := newRig(t)
	r.object(0, "3", "o") // nodes 3 and 1 are both of region 2
	stats := r.passOf(actors.Overrides{Partitions: []uint32{3}, Policies: []int{0}})
	if want := (messages.Counts{Attempted: 1, Success: 2, Rsync: 1, SuffixCount: 1, SuffixHash: 1, SuffixSync: 1}); stats.Counts != want {
		t.Errorf("got %+v, want %+v", stats.Counts, want)
	}
	if got := r.pushes(); len(got) != 1 || got[0].to != 1 && got[0].to != 3 {
		t.Errorf("pushed %+v", got)
	}
}

// The cached hash of a suffix is old, and the peers already have what is on the
// disk: it is hashed afresh before it is pushed, so nothing is.
func TestBehaviourLocalHashChanges(t *testing.T) {
	r := newRig(t)
	_, suffix := r.object(0, "0", "o")
	name := suffix[2:]
	r.write("node/sda/objects/0/hashes.pkl", string(hashes.File{
		Valid: true, Updated: 1, Suffixes: map[string]string{name: strings.Repeat("ab", 16)},
	}.Encode()))
	for _, p := range r.peers[1:] {
		p.says(http.StatusOK, wire(true, suffix))
	}
	stats := r.passOf(updateOnly)
	if want := (messages.Counts{Attempted: 1, HashMatch: 2, Success: 2, SuffixCount: 1}); stats.Counts != want {
		t.Errorf("got %+v, want %+v", stats.Counts, want)
	}
	if len(r.pushes()) != 0 {
		t.Errorf("pushed %+v", r.pushes())
	}
}

// A peer that does not answer in time, or hangs up, or is not there fails alone:
// the other nodes of all partitions get what they need. It may be left alone for a
// while; what it has missed by that the next pass brings.
func TestBehaviourRunOnceRecovers(t *testing.T) {
	for _, c := range []struct{ name, why string }{
		{"timeout", "Timeout (1s)"}, {"hangs up", ""}, {"refused", "Connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "http_timeout = 1")
			for policy := range 2 {
				for _, part := range []string{"0", "1", "2", "3"} {
					r.object(policy, part, "o")
				}
			}
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			trouble := func(policy int, part string) (int, []byte) {
				if policy != 0 || part != "0" {
					return http.StatusOK, hashes.EncodeWire(nil)
				}
				if c.name == "hangs up" {
					panic(http.ErrAbortHandler)
				}
				<-release
				return http.StatusOK, nil
			}
			lost := 0 // pushes that do not come about
			if c.name == "refused" {
				nodes := r.nodes()
				nodes[2].ReplicationPort = 1
				for policy := range 2 {
					r.ring(policy, 0, replicas(), nodes)
				}
				r.peers[2].port = 1
				lost = 2 * 2 // partitions 0 and 2; the handoff's rsync needs no object server
			} else {
				r.peers[2].with(func(p *peer) { p.answer = trouble })
				lost = 1
			}
			stats := r.pass()
			if stats.Attempted != 8 || stats.FailureNodes[r.peers[2].ip]["sda"] == 0 || len(stats.FailureNodes) != 1 {
				t.Errorf("got %+v", stats)
			}
			// 14 syncs as in Swift's own test, and the third of each handoff; five of them
			// or six are the troubled peer's.
			got := r.targets()
			others := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return strings.HasSuffix(s, " → 2") })
			if len(others) != 10 || len(got) > 16-lost {
				t.Errorf("%d pushes to others, want 10, and %d to all, want %d at most: %q\n%s", len(others), len(got), 16-lost, got, r.log)
			}
			for _, line := range r.log.swift("error") {
				if !strings.Contains(line, "Error syncing") || !strings.HasSuffix(line, c.why) {
					t.Errorf("line %q", line)
				}
			}
			if !slices.Contains(r.targets(), "objects/"+r.suffixOf("0")+" → 1") {
				t.Errorf("the other node was left out: %q", r.targets())
			}
			if c.name == "refused" {
				return // it stays away
			}
			r.peers[2].with(func(p *peer) { p.answer = nil })
			if stats := r.pass(); len(stats.FailureNodes) > 0 {
				t.Errorf("the next pass: %+v", stats)
			}
			for _, policy := range []string{"objects", "objects-1"} {
				for _, part := range []string{"0", "2"} { // those of which it is a primary beside us
					if want := policy + "/" + r.suffixOf(part) + " → 2"; !slices.Contains(r.targets(), want) {
						t.Errorf("the next pass left out %s: %q", want, r.targets())
					}
				}
			}
		})
	}
}

func (r *rig) suffixOf(part string) string { return part + "/" + paths.Hex("a", "c", "o")[29:] }

// An rsync that hangs is killed at its time, said in Swift's words cut to their
// limit, and the pass goes on.
func TestBehaviourRsyncTimeout(t *testing.T) {
	r := newRig(t, "rsync_timeout = 1", "rsync_error_log_line_length = 40")
	r.object(0, "0", "o")
	r.rsyncTo(1, "exec sleep 1000")
	r.rsyncTo(2, "exec sleep 1000")
	stats := r.pass()
	r.mustSay("error", "Killing long-running rsync after 1s: ['r", "Killing long-running rsync after 1s: ['r")
	if stats.Attempted != 8 || stats.Failure != 2 || stats.Success != 16 || stats.Rsync != 2 {
		t.Errorf("got %+v", stats)
	}
	// A killed rsync may have brought something: the peers are told all the same.
	if n := r.requests()["1 0 /sda/"+r.suffixOf("0")]; n != 1 {
		t.Errorf("node 1 was told %d times", n)
	}
}
