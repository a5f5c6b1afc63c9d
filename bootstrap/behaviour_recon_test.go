package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"testing"

	"understudy/actors"
	"understudy/internal/swift/hashes"
	"understudy/internal/swift/ring"
	"understudy/messages"
)

// recon is what the recon cache says; nil when there is none.
func (r *rig) recon() map[string]any {
	r.Helper()
	data, err := os.ReadFile(r.path("cache/object.recon"))
	if os.IsNotExist(err) || err == nil && len(data) == 0 { // made, and not yet written
		return nil
	}
	var out map[string]any
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// fiveDisks gives this node disks sda to sde, each a primary of all partitions of
// policy 0, with node 1 as the sixth; and nothing of policy 1.
func (r *rig) fiveDisks() {
	r.Helper()
	var devices []*ring.Device
	var rows [][]uint16
	for id, name := range []string{"sda", "sdb", "sdc", "sdd", "sde", "sda"} {
		p := r.peers[id/5]
		devices = append(devices, &ring.Device{ID: id, Device: name, Zone: id, Region: 1, Weight: 1, IP: p.ip, Port: 1, ReplicationIP: p.ip, ReplicationPort: p.port})
		rows = append(rows, []uint16{uint16(id), uint16(id), uint16(id), uint16(id)})
	}
	r.write("etc/swift.conf", "[swift-hash]\nswift_hash_path_suffix = endcap\n[storage-policy:0]\nname = zero\n")
	r.ring(0, 0, rows, devices)
	for i, name := range []string{"sda", "sdb", "sdc", "sdd", "sde"} {
		r.remove(r.path("node/" + name))
		for part := range min(i+1, 4) {
			r.mkdir(fmt.Sprintf("node/%s/objects/%d", name, part))
		}
	}
}

// With replicator_workers, every disk's numbers are in the recon cache, and the
// node's are their sum, the earliest of their ends and the least of their times.
func TestBehaviourReconOfWorkers(t *testing.T) {
	r := newRig(t, "replicator_workers = 3", "http_timeout = 5", "conn_timeout = 0.2")
	r.fiveDisks()
	r.peers[1].says(http.StatusInternalServerError, nil)
	r.write("cache/object.recon", `{"async_pending": 7}`+"\n")

	r.passOf(actors.Overrides{Devices: []string{"sda", "sdb"}})
	if got := r.recon(); len(got) != 1 {
		t.Fatalf("a pass with overrides went into recon: %v", got)
	}
	r.pass()
	got := r.recon()
	disks, _ := got["object_replication_per_disk"].(map[string]any)
	if len(disks) != 5 || got["async_pending"] != 7.0 {
		t.Fatalf("recon %v", got)
	}
	last, least := 0.0, 0.0
	for i, name := range []string{"sda", "sdb", "sdc", "sdd", "sde"} {
		disk := disks[name].(map[string]any)
		stats := disk["replication_stats"].(map[string]any)
		parts := float64(min(i+1, 4))
		failed, _ := stats["failure_nodes"].(map[string]any)
		if stats["attempted"] != parts || stats["failure"] == 0.0 || failed["127.0.7.1"].(map[string]any)["sda"] != parts {
			t.Errorf("%s: %v", name, stats)
		}
		if end := disk["replication_last"].(float64); last == 0 || end < last {
			last = end
		}
		if time := disk["replication_time"].(float64); i == 0 || time < least {
			least = time
		}
	}
	stats := got["replication_stats"].(map[string]any)
	failed, _ := stats["failure_nodes"].(map[string]any)
	if stats["attempted"] != 14.0 || failed["127.0.7.1"].(map[string]any)["sda"] != 14.0 {
		t.Errorf("sum: %v", stats)
	}
	for key, want := range map[string]float64{
		"replication_last": last, "object_replication_last": last, "replication_time": least, "object_replication_time": least,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

// The node's sum waits for the first pass of every disk.
func TestBehaviourReconWaitsForEveryDisk(t *testing.T) {
	r := newRig(t, "replicator_workers = 5", "concurrency = 4", "http_timeout = 60", "conn_timeout = 0.2", "stats_interval = 0.05", "interval = 1000")
	r.fiveDisks()
	release := make(chan struct{})
	r.peers[1].with(func(p *peer) {
		p.answer = func(_ int, part string) (int, []byte) {
			if part == "3" { // of sdd and sde
				<-release
			}
			return http.StatusOK, hashes.EncodeWire(nil)
		}
	})
	stop := r.daemon()
	per := func() int {
		disks, _ := r.recon()["object_replication_per_disk"].(map[string]any)
		return len(disks)
	}
	r.until("three disks in recon", func() bool { return per() == 3 })
	// Meanwhile the heartbeat says how far it is, and then that nothing happens.
	r.until("heartbeats", func() bool {
		return r.log.count("partitions replicated in") > 0 && r.log.count("Nothing replicated for ") > 0
	})
	if got := r.recon(); got["replication_stats"] != nil || per() != 3 {
		t.Errorf("recon %v", got)
	}
	close(release)
	r.until("the sum in recon", func() bool { return r.recon()["replication_stats"] != nil })
	if stats := r.recon()["replication_stats"].(map[string]any); stats["attempted"] != 14.0 || per() != 5 {
		t.Errorf("recon %v", r.recon())
	}
	stop()
}

// In daemon mode a new ring counts from the next job on: what has become a handoff
// is moved and removed, and the passes go on.
func TestBehaviourRingChange(t *testing.T) {
	r := newRig(t, "interval = 0.05", "ring_check_interval = 0.02")
	r.object(0, "0", "o")
	r.daemon()
	r.until("a first pass", func() bool { return r.log.count("Object replication complete.") > 0 })
	r.mustKeep(0, "0")
	rows := replicas()
	rows[0][0] = 4
	r.ring(0, 0, rows, r.nodes())
	r.until("partition 0 is a handoff and goes", func() bool { return !r.exists(r.at(0, "0")) })
	r.mustKeep(0, "2", "3")
	r.mustKeep(1, "0")
	if len(r.requestsTo(4, "/sda/"+r.suffixOf("0"))) == 0 {
		t.Errorf("the new primary got nothing: %v", r.requests())
	}
}

func (r *rig) requestsTo(id int, path string) (out []string) {
	r.peers[id].with(func(p *peer) {
		for _, a := range p.asked {
			if a == "0 "+path {
				out = append(out, a)
			}
		}
	})
	return out
}

// The numbers add up and are written as Swift writes them.
func TestBehaviourStats(t *testing.T) {
	one := messages.Stats{
		Counts:       messages.Counts{Attempted: 1, Failure: 2, HashMatch: 3, Remove: 4, Rsync: 5, Success: 6, SuffixCount: 7, SuffixHash: 8, SuffixSync: 9},
		FailureNodes: messages.FailureNodes{"10.1.1.1": {"sda": 10, "sdb": 20}, "10.1.1.2": {"sda": 10, "sdb": 20}},
	}
	two := messages.Stats{
		Counts:       messages.Counts{Attempted: 2, Failure: 4, HashMatch: 6, Remove: 8, Rsync: 10, Success: 12, SuffixCount: 14, SuffixHash: 16, SuffixSync: 18},
		FailureNodes: messages.FailureNodes{"10.1.1.2": {"sda": 10, "sdb": 20}, "10.1.1.3": {"sda": 10, "sdb": 20}},
	}
	var sum messages.Stats
	sum.Add(one)
	sum.Add(two)
	sum.Add(messages.Stats{})
	text, err := json.Marshal(sum.Recon())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"attempted":3,"failure":6,"failure_nodes":{"10.1.1.1":{"sda":10,"sdb":20},"10.1.1.2":{"sda":20,"sdb":40},"10.1.1.3":{"sda":10,"sdb":20}},` +
		`"hashmatch":9,"remove":12,"rsync":15,"success":18,"suffix_count":21,"suffix_hash":24,"suffix_sync":27}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if one.FailureNodes["10.1.1.2"]["sda"] != 10 {
		t.Error("adding changed what was added")
	}
	nodes := messages.FailureNodes{}
	at := func(ip, device string) messages.Node { return messages.Node{ReplicationIP: ip, Device: device} }
	nodes.Count(at("10.1.1.1", "d10"), at("10.1.1.1", "d11"))
	nodes.Count(at("10.1.1.1", "d10"))
	nodes.Count(at("10.2.2.2", "d21"), at("10.2.2.2", "d21"), at("10.2.2.2", "d20"))
	if want := (messages.FailureNodes{"10.1.1.1": {"d10": 2, "d11": 1}, "10.2.2.2": {"d20": 1, "d21": 2}}); !reflect.DeepEqual(nodes, want) {
		t.Errorf("got %v, want %v", nodes, want)
	}
}
