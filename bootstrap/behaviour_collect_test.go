package bootstrap_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/actors"
	"understudy/internal/swift/ring"
)

// A node that is in no ring says so for each policy, once, and has nothing to do.
func TestBehaviourNoLocalDevice(t *testing.T) {
	r := newRig(t, "bind_ip = 1.1.1.1")
	if stats := r.pass(); stats.Attempted != 0 {
		t.Errorf("attempted %d", stats.Attempted)
	}
	r.mustSay("error",
		"Can't find itself in policy with index 0 with ips 1.1.1.1 and with port 6200 in ring file, not replicating",
		"Can't find itself in policy with index 1 with ips 1.1.1.1 and with port 6200 in ring file, not replicating")
}

// Each partition is a job of the right kind with the right nodes: a primary asks
// the other primaries and pushes to those, a handoff pushes to all of them unasked.
// Both policies, each in its directories.
func TestBehaviourJobs(t *testing.T) {
	r := newRig(t)
	var suffixes [2][4]string
	for policy := range 2 {
		for part := range 4 {
			_, suffixes[policy][part] = r.object(policy, fmt.Sprint(part), "o")
		}
	}
	stats := r.pass()
	var want []string
	asked := map[string]int{}
	for policy, dir := range []string{"objects", "objects-1"} {
		// Nodes 1 and 3 of partition 3 share a region: one of them is served.
		for part, nodes := range [][]int{{1, 2}, {1, 2, 3}, {2, 3}, {1, 3}} {
			for _, id := range nodes {
				if part != 3 {
					want = append(want, fmt.Sprintf("%s/%s → %d", dir, suffixes[policy][part], id))
					asked[fmt.Sprintf("%d %d /sda/%s", id, policy, suffixes[policy][part])] = 1
				}
				if part != 1 && part != 3 {
					asked[fmt.Sprintf("%d %d /sda/%d", id, policy, part)] = 1
				}
			}
		}
	}
	got := slices.DeleteFunc(r.targets(), func(s string) bool { return strings.Contains(s, "/3/") })
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("pushed\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	requests := r.requests()
	third := 0
	for request, n := range maps.Clone(requests) {
		if strings.Contains(request, "/sda/3") {
			third += n
			delete(requests, request)
		}
	}
	if !maps.Equal(requests, asked) || third != 4 {
		t.Errorf("asked %v and %d times about partition 3\nwant %v and 4", requests, third, asked)
	}
	if stats.Attempted != 8 || stats.Remove != 2 || stats.Failure != 0 || stats.Success != 18 || stats.Rsync != 16 {
		t.Errorf("got %+v", stats)
	}
	r.mustSay("error")
	for policy := range 2 {
		r.mustKeep(policy, "0", "2", "3")
		r.mustLack(policy, "1")
	}
}

// Which of a ring's devices are this node's: by address and replication port, or
// with servers_per_port by the address alone; client addresses do not count.
func TestBehaviourLocalDevices(t *testing.T) {
	for _, c := range []struct {
		name string
		conf []string
		jobs string // device: update partitions, revert partitions
	}{
		{"two disks", []string{"bind_ip = 127.0.0.200"}, "sda: 0 2 3, 1; sdb: 0 1 3, 2"},
		{"one port of two", []string{"bind_ip = 127.0.0.201"}, "sdc: 0 1 2, 3"},
		{"any port", []string{"bind_ip = 127.0.0.201", "servers_per_port = 1"}, "sdc: 0 1 2, 3; sdd: 1 2 3, 0"},
		{"ring_ip before bind_ip", []string{"bind_ip = 127.0.0.200", "ring_ip = 127.0.0.201"}, "sdc: 0 1 2, 3"},
		{"client address", []string{"bind_ip = 1.1.1.1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, append(c.conf, "http_timeout = 5", "conn_timeout = 0.1")...)
			devices := []*ring.Device{
				{ID: 0, Device: "sda", Zone: 0, Region: 1, IP: "1.1.1.1", Port: 6200, ReplicationIP: "127.0.0.200", ReplicationPort: 6200, Weight: 1},
				{ID: 1, Device: "sdb", Zone: 1, Region: 1, IP: "1.1.1.1", Port: 6200, ReplicationIP: "127.0.0.200", ReplicationPort: 6200, Weight: 1},
				{ID: 2, Device: "sdc", Zone: 2, Region: 2, IP: "1.1.1.2", Port: 6200, ReplicationIP: "127.0.0.201", ReplicationPort: 6200, Weight: 1},
				{ID: 3, Device: "sdd", Zone: 4, Region: 2, IP: "1.1.1.2", Port: 6200, ReplicationIP: "127.0.0.201", ReplicationPort: 6201, Weight: 1},
			}
			for policy := range 2 {
				r.ring(policy, 0, [][]uint16{{0, 1, 2, 3}, {1, 2, 3, 0}, {2, 3, 0, 1}}, devices)
			}
			for _, d := range devices {
				for part := range 4 {
					r.mkdir(fmt.Sprintf("node/%s/objects/%d", d.Device, part))
				}
			}
			// Empty handoffs go; primaries get a hashes.pkl.
			r.passOf(actors.Overrides{Policies: []int{0}})
			var jobs []string
			for _, d := range devices {
				var kinds [2][]string
				for part := range 4 {
					dir := r.path(fmt.Sprintf("node/%s/objects/%d", d.Device, part))
					switch {
					case r.exists(dir + "/hashes.pkl"):
						kinds[0] = append(kinds[0], fmt.Sprint(part))
					case !r.exists(dir):
						kinds[1] = append(kinds[1], fmt.Sprint(part))
					}
				}
				if kinds[0] != nil || kinds[1] != nil {
					jobs = append(jobs, d.Device+": "+strings.Join(kinds[0], " ")+", "+strings.Join(kinds[1], " "))
				}
			}
			if got := strings.Join(jobs, "; "); got != c.jobs {
				t.Errorf("jobs %q, want %q\n%s", got, c.jobs, r.log)
			}
		})
	}
}

// A device that is not there, or not mounted, is a line and a failure of every
// device of the ring, for each policy. Nothing is made in its place.
func TestBehaviourDeviceUnavailable(t *testing.T) {
	for _, c := range []struct{ name, conf, line string }{
		{"missing", "mount_check = false", "%s is not a directory"},
		{"not mounted", "mount_check = true", "%s is not mounted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.conf)
			if c.name == "missing" {
				r.remove(r.path("node/sda"))
			}
			stats := r.pass()
			line := fmt.Sprintf(c.line, r.path("node/sda"))
			r.mustSay("warn", line, line)
			if stats.Attempted != 0 || stats.Failure != 14 || stats.FailureNodes["127.0.7.1"]["sda"] != 2 || len(stats.FailureNodes) != 7 {
				t.Errorf("got %+v", stats)
			}
			if r.exists(r.path("node/sda")) != (c.name == "not mounted") || len(r.requests()) != 0 {
				t.Errorf("something was made or asked: %v", r.requests())
			}
		})
	}
}

// A missing directory of a policy is made and has no jobs in that pass; the other
// policy goes on.
func TestBehaviourMissingObjects(t *testing.T) {
	r := newRig(t)
	r.remove(r.at(0, ""))
	stats := r.pass()
	r.mustKeep(0, "")
	if stats.Attempted != 4 || stats.Failure != 0 {
		t.Errorf("got %+v", stats)
	}
	r.mustSay("error")
}

// A directory of a policy that cannot be made is said, and has no jobs.
func TestBehaviourObjectsCannotBeMade(t *testing.T) {
	r := newRig(t)
	r.remove(r.path("node/sda"))
	if err := os.Symlink("/proc/sys/kernel", r.path("node/sda")); err != nil { // no directory can be made there
		t.Fatal(err)
	}
	if stats := r.pass(); stats.Attempted != 0 {
		t.Errorf("got %+v", stats)
	}
	for policy := range 2 {
		if want := "ERROR creating " + r.at(policy, "") + ": "; !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, r.log)
		}
	}
}

// What is no partition: the auditor's files are no failure, other names are one of
// every device of the ring, also with partition overrides. None is touched.
func TestBehaviourOddNames(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"auditor_status_ZBF.json", "auditor_status_ALL.json"} {
		r.write("node/sda/objects/"+name, "")
	}
	only := actors.Overrides{Partitions: []uint32{0, 2}}
	if stats := r.passOf(only); stats.Failure != 0 || stats.Attempted != 4 {
		t.Errorf("got %+v", stats)
	}
	for _, name := range []string{"burrito", "-1", "007"} {
		r.mkdir("node/sda/objects-1/" + name)
		stats := r.passOf(only)
		if stats.Failure != 7 || stats.Attempted != 4 {
			t.Errorf("%s: got %+v", name, stats)
		}
		r.mustKeep(1, name)
		r.remove(r.at(1, name))
	}
	r.mkdir("node/sda/objects/99") // outside the ring
	if stats := r.pass(); stats.Failure != 7 || stats.Attempted != 8 {
		t.Errorf("outside the ring: got %+v", stats)
	}
	r.mustKeep(0, "99", "auditor_status_ZBF.json")
}

// A policy whose part power changes, or that is erasure coded, is left alone.
func TestBehaviourPoliciesLeftAlone(t *testing.T) {
	t.Run("part power", func(t *testing.T) {
		r := newRig(t)
		r.rings(4)
		if stats := r.pass(); stats.Attempted != 0 || stats.Failure != 0 {
			t.Errorf("got %+v", stats)
		}
		r.mustSay("warn", "next_part_power set in policy 'zero'. Skipping", "next_part_power set in policy 'one'. Skipping")
		r.mustKeep(0, "0", "1", "2", "3")
	})
	t.Run("erasure coding", func(t *testing.T) {
		r := newRig(t)
		conf, err := os.ReadFile(r.path("etc/swift.conf"))
		if err != nil {
			t.Fatal(err)
		}
		r.write("etc/swift.conf", string(conf)+"[storage-policy:2]\nname = ec\npolicy_type = erasure_coding\n"+
			"ec_type = liberasurecode_rs_vand\nec_num_data_fragments = 2\nec_num_parity_fragments = 1\n")
		r.ring(2, 0, [][]uint16{{1, 1, 1, 1}}, r.nodes())
		r.mkdir("node/sda/objects-2/1")
		r.mkdir("node/sda/objects-2/odd")
		if stats := r.pass(); stats.Attempted != 8 || stats.Failure != 0 {
			t.Errorf("got %+v", stats)
		}
		r.mustKeep(2, "1", "odd")
	})
}

// A partition that is a file goes when its turn comes, not while the disk is
// listed, and is no attempt. With handoffs_first it is no handoff that remains.
func TestBehaviourPartitionIsAFile(t *testing.T) {
	for _, first := range []string{"no", "yes"} {
		r := newRig(t, "handoffs_first = "+first)
		for policy := range 2 {
			for _, part := range []string{"1", "2"} {
				r.remove(r.at(policy, part))
				r.write(filepath.Join("node/sda", filepath.Base(r.at(policy, "")), part), "")
			}
		}
		stats := r.pass()
		var want []string
		for policy := range 2 {
			r.mustLack(policy, "1", "2")
			for _, part := range []string{"1", "2"} {
				want = append(want, "Removing partition directory which was a file: "+r.at(policy, part))
			}
		}
		r.mustSay("warn", want...)
		if stats.Attempted != 4 || stats.Failure != 0 {
			t.Errorf("handoffs_first %s: got %+v", first, stats)
		}
	}
}

// Overrides of devices and partitions, and those of policies, also unknown ones.
func TestBehaviourOverrides(t *testing.T) {
	r := newRig(t)
	for _, step := range []struct {
		only actors.Overrides
		left [2]bool // partition 1 of each policy
	}{
		{actors.Overrides{Devices: []string{"sdb"}}, [2]bool{true, true}},
		{actors.Overrides{Partitions: []uint32{9}}, [2]bool{true, true}},
		{actors.Overrides{Devices: []string{"sda"}, Partitions: []uint32{0}}, [2]bool{true, true}},
		{actors.Overrides{Policies: []int{1, 2, 5}}, [2]bool{true, false}},
		{actors.Overrides{Devices: []string{"sda", "other"}, Partitions: []uint32{1, 77}}, [2]bool{false, false}},
	} {
		r.passOf(step.only)
		for policy, left := range step.left {
			if r.exists(r.at(policy, "1")) != left {
				t.Errorf("%+v: partition 1 of policy %d left %v, want %v", step.only, policy, !left, left)
			}
		}
		if r.exists(r.path("cache/object.recon")) {
			t.Errorf("%+v: went into recon", step.only)
		}
	}
}
