package bootstrap_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/actors"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// revertOnly leaves partition 1 of policy 0: a handoff of nodes 1, 2 and 3.
var revertOnly = actors.Overrides{Partitions: []uint32{1}, Policies: []int{0}}

// roundLines are the lines of a pass with one job that had no suffixes to hash.
var roundLines = []string{
	"Running object replicator in script mode.", "1/1 (100.00%) partitions replicated in …",
	"3 successes, 0 failures", "Object replication complete (once). (0.…",
}

// A handoff is pushed to every primary, whatever happens to the others, and goes
// when all of them, or handoff_delete of them, have it.
func TestBehaviourRevert(t *testing.T) {
	for _, c := range []struct {
		name  string
		conf  string
		fails []int // nodes to which rsync fails
		gone  bool
	}{
		{"all have it", "handoff_delete = auto", nil, true},
		{"the first fails", "handoff_delete = auto", []int{1}, false},
		{"the last fails", "handoff_delete = auto", []int{3}, false},
		{"the other region fails", "handoff_delete = auto", []int{1, 3}, false},
		{"two suffice and one fails", "handoff_delete = 2", []int{1}, true},
		{"two suffice and two fail", "handoff_delete = 2", []int{1, 2}, false},
		{"one suffices and two fail", "handoff_delete = 1", []int{1, 2}, true},
		{"one suffices and all fail", "handoff_delete = 1", []int{1, 2, 3}, false},
		{"more than there are would suffice", "handoff_delete = 7", nil, true},
		{"no sync method is rsync", "sync_method = ", nil, true},
	} {
		for policy, dir := range []string{"objects", "objects-1"} {
			t.Run(fmt.Sprintf("%s/policy %d", c.name, policy), func(t *testing.T) {
				r := newRig(t, c.conf)
				_, suffix := r.object(policy, "1", "o")
				for _, id := range c.fails {
					r.rsyncTo(id, "exit 1")
				}
				stats := r.passOf(actors.Overrides{Partitions: []uint32{1}, Policies: []int{policy}})
				if r.exists(r.at(policy, "1")) == c.gone {
					t.Errorf("gone %v, want %v\n%s", !c.gone, c.gone, r.log)
				}
				var to []string
				told := map[string]int{}
				lines := []string(nil)
				for id := 1; id <= 3; id++ {
					to = append(to, fmt.Sprintf("%s/%s → %d", dir, suffix, id))
					if slices.Contains(c.fails, id) {
						lines = append(lines, "Bad rsync return code: 1 <- ['rsync', '--recursive', …")
					} else {
						told[fmt.Sprintf("%d %d /sda/%s", id, policy, suffix)] = 1
					}
				}
				// No peer is asked what it has; each that was served is told to look.
				if got := r.targets(); !slices.Equal(got, to) || !maps.Equal(r.requests(), told) {
					t.Errorf("pushed %q, told %v", got, r.requests())
				}
				want := messages.Counts{Attempted: 1, Rsync: 3, Failure: len(c.fails), Success: 3 - len(c.fails)}
				if c.gone {
					want.Remove = 1
				}
				if stats.Counts != want {
					t.Errorf("got %+v, want %+v", stats.Counts, want)
				}
				r.mustSay("error", lines...)
			})
		}
	}
}

// handoff_delete has no effect where no policy has more copies, and says so; where
// another policy has, it is no more than the copies that a partition has.
func TestBehaviourHandoffDeleteIsClamped(t *testing.T) {
	const line = "No storage policies found for which handoff_delete=4 would have an effect. Disabling."
	r := newRig(t, "handoff_delete = 4")
	r.object(0, "1", "o")
	r.rsyncTo(1, "exit 1")
	r.passOf(revertOnly)
	r.mustSay("warn", line)
	r.mustKeep(0, r.suffixOf("1"))

	rows := append(replicas(), []uint16{4, 4, 4, 4, 0, 0, 0, 0}, []uint16{5, 5, 5, 5, 2, 1, 1, 1})
	r.ring(1, 0, rows, r.nodes())
	r.passOf(revertOnly)
	r.mustSay("warn")
	r.mustKeep(0, r.suffixOf("1"))
	r.rsyncTo(1, "")
	if stats := r.passOf(revertOnly); stats.Remove != 1 {
		t.Errorf("got %+v\n%s", stats, r.log)
	}
	r.mustLack(0, "1")
}

// A handoff without suffixes goes without asking anybody, whatever else lies in it,
// and counts as no removal.
func TestBehaviourRevertOfNothing(t *testing.T) {
	r := newRig(t)
	r.write("node/sda/objects/1/hashes.pkl", "")
	stats := r.passOf(revertOnly)
	if want := (messages.Counts{Attempted: 1, Success: 3}); stats.Counts != want || len(r.pushes()) != 0 || len(r.requests()) != 0 {
		t.Errorf("got %+v, want %+v; pushed %q", stats.Counts, want, r.targets())
	}
	r.mustLack(0, "1")
	r.mustSay("info", append(roundLines, "Removing partition: "+r.at(0, "1"))...)
	r.mustSay("error")
}

// A whole pass with a handoff that goes and primaries that stay.
func TestBehaviourRunOnceMovesHandoffs(t *testing.T) {
	r := newRig(t)
	_, suffix := r.object(0, "1", "o")
	stats := r.pass()
	r.mustLack(0, "1")
	r.mustKeep(0, "0/hashes.pkl", "2/hashes.pkl", "3/hashes.pkl")
	if got := r.targets(); len(got) != 3 || !strings.Contains(got[0], suffix) {
		t.Errorf("pushed %q", got)
	}
	if stats.Attempted != 8 || stats.Remove != 1 || stats.Failure != 0 {
		t.Errorf("got %+v", stats)
	}
}

// A peer that took the files and cannot be told about them: the handoff stays.
func TestBehaviourRevertUntold(t *testing.T) {
	r := newRig(t)
	r.object(0, "1", "o")
	r.peers[2].with(func(p *peer) { p.refresh = func() { panic(http.ErrAbortHandler) } })
	stats := r.passOf(revertOnly)
	r.mustKeep(0, r.suffixOf("1"))
	if stats.Remove != 0 || stats.Failure != 1 {
		t.Errorf("got %+v", stats)
	}
	r.mustSay("error", "Error syncing handoff partition: …")
}

// An incoming SSYNC holds the partition: the handoff is left for the next pass.
func TestBehaviourRevertLocked(t *testing.T) {
	r := newRig(t)
	r.object(0, "1", "o")
	r.write("node/sda/objects/1/.lock-replication", "")
	f, err := os.Open(r.at(0, "1/.lock-replication"))
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		t.Fatal(err)
	}
	stats := r.passOf(revertOnly)
	if want := (messages.Counts{Attempted: 1, Success: 3}); stats.Counts != want || len(r.pushes()) != 0 {
		t.Errorf("got %+v, want %+v; pushed %q", stats.Counts, want, r.targets())
	}
	r.mustKeep(0, r.suffixOf("1"))
	r.mustSay("info", append(roundLines, "Unable to lock handoff partition 1 for replication on device sda policy 0")...)
	f.Close()
	r.passOf(revertOnly)
	r.mustLack(0, "1")
}

// With handoffs_first, handoffs go first and then all else is done.
func TestBehaviourHandoffsFirst(t *testing.T) {
	r := newRig(t, "handoffs_first = yes")
	asked := map[string]int{}
	for policy := range 2 {
		for part := range 4 {
			if part < 2 {
				r.object(policy, fmt.Sprint(part), "o")
			}
			for _, id := range [][]int{{1, 2}, {1, 2, 3}, {2, 3}, {1, 3}}[part] {
				if part != 1 {
					asked[fmt.Sprintf("%d %d /sda/%d", id, policy, part)] = 1
				}
				if part < 2 {
					asked[fmt.Sprintf("%d %d /sda/%s", id, policy, r.suffixOf(fmt.Sprint(part)))] = 1
				}
			}
		}
	}
	stats := r.pass()
	if got := r.requests(); !maps.Equal(got, asked) || len(got) != 22 {
		t.Errorf("asked %v\nwant  %v", got, asked)
	}
	for i, p := range r.pushes() {
		if handoff := strings.Contains(p.from[0], "/1/"); handoff != (i < 6) {
			t.Errorf("push %d is of %v", i, p.from)
		}
	}
	if stats.Attempted != 8 || stats.Remove != 2 {
		t.Errorf("got %+v", stats)
	}
	r.mustSay("warn")
	r.mustLack(0, "1")
	r.mustLack(1, "1")
}

// A handoff that could not go ends the pass before the rest; with handoff_delete
// the next pass can give it up and do everything.
func TestBehaviourHandoffsFirstAborts(t *testing.T) {
	r := newRig(t, "handoffs_first = yes")
	r.object(0, "1", "o")
	r.object(1, "1", "o")
	// Node 2 takes one policy's files only.
	r.rsyncTo(2, `case "$last" in */objects-1/*) exit 1; esac`)
	stats := r.pass()
	if stats.Attempted < 2 || stats.Attempted > 3 || stats.Remove != 1 || stats.Failure != 1 {
		t.Errorf("got %+v", stats)
	}
	r.mustSay("warn", "Handoffs first mode still has handoffs remaining.  Aborting current replication pass.")
	r.mustLack(0, "1")
	r.mustKeep(1, r.suffixOf("1"))

	r.set("handoff_delete = 2")
	stats = r.pass()
	if stats.Attempted != 7 || stats.Remove != 1 || stats.Failure != 1 {
		t.Errorf("got %+v", stats)
	}
	r.mustSay("warn")
	r.mustLack(1, "1")
}

// A file of the same name that the peer holds cut short keeps the handoff; then it
// is whole and the handoff goes.
func TestBehaviourRevertOfATornCopy(t *testing.T) {
	r := newRig(t)
	hash, suffix := r.object(0, "1", "o")
	torn := fmt.Sprintf("printf '<f.s........ %s/%s/1700000000.00000.data\\n'\n", suffix[2:], hash)
	r.write("bin/proof."+r.peers[3].ip, torn)
	stats := r.passOf(revertOnly)
	if stats.Remove != 0 || stats.Rsync != 3 {
		t.Errorf("got %+v", stats)
	}
	r.mustKeep(0, suffix+"/"+hash)
	r.write("bin/proof."+r.peers[3].ip, "")
	if stats := r.passOf(revertOnly); stats.Remove != 1 {
		t.Errorf("got %+v\n%s", stats, r.log)
	}
	r.mustLack(0, "1")
}

// What is found in a partition once in ten passes of its own.
func TestBehaviourListsWithinTenPasses(t *testing.T) {
	r := newRig(t, "interval = 0.01")
	for _, part := range []string{"0", "2", "3"} {
		_, suffix := r.object(0, part, "o")
		r.write("node/sda/objects/"+part+"/hashes.pkl", string(hashes.File{Valid: true, Updated: 1}.Encode()))
		_ = suffix
	}
	r.daemon()
	begun := r.log.count("Starting object replication pass.")
	r.until("all three are pushed", func() bool {
		seen := map[string]bool{}
		for _, p := range r.pushes() {
			seen[p.from[0]] = true
		}
		return len(seen) == 3
	})
	if n := r.log.count("Object replication complete.") - begun; n > 11 {
		t.Errorf("it took %d passes", n)
	}
}
