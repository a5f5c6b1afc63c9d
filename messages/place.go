package messages

import (
	"iter"
	"net"
	"strconv"
	"strings"
)

// Policy names one storage policy of swift.conf.
type Policy struct {
	Index int    // 0 is the legacy policy; its directories carry no suffix
	Name  string // as written in swift.conf, case kept
}

// Node is one device of a ring as seen from a partition: where a copy lives or
// could live. Ring ids are unique within one ring only.
type Node struct {
	ID              int
	Region          int
	Zone            int
	IP              string // address clients use
	Port            int
	ReplicationIP   string // address replicators use; never empty (falls back to IP)
	ReplicationPort int    // never 0 (falls back to Port)
	Device          string // directory name below the devices root
	Meta            string // free text of the ring builder
	Index           int    // primary index, or -1 for a handoff
}

// String is the node as Swift names it in log lines: ip:port/device of the
// replication network, IPv6 in brackets. Swift: common/utils node_to_string.
func (n Node) String() string {
	return net.JoinHostPort(n.ReplicationIP, strconv.Itoa(n.ReplicationPort)) + "/" + n.Device
}

// Partition is one partition of one policy on one local device.
type Partition struct {
	Device string
	Policy int
	Number uint32
}

// String is device/objects[-N]/number: the path below the devices root.
func (p Partition) String() string {
	return p.Device + "/" + ObjectsDir(p.Policy) + "/" + strconv.FormatUint(uint64(p.Number), 10)
}

// ObjectsDir is the directory of a policy's objects on a device: "objects" for
// policy 0, "objects-N" for the others. Swift: obj/diskfile.py get_data_dir.
func ObjectsDir(policy int) string { return policyDir("objects", policy) }

// TmpDir is the directory of a policy's temporary files on a device.
func TmpDir(policy int) string { return policyDir("tmp", policy) }

func policyDir(base string, policy int) string {
	if policy == 0 {
		return base
	}
	return base + "-" + strconv.Itoa(policy)
}

// JoinSuffixes writes suffixes as Swift puts them into a REPLICATE path.
func JoinSuffixes(suffixes []string) string { return strings.Join(suffixes, "-") }

// Ring is an immutable snapshot of one policy's ring. Its methods are safe for
// concurrent use and do no I/O.
type Ring interface {
	// Partitions is the number of partitions, a power of two.
	Partitions() uint32
	// Replicas is the number of copies of a partition, which may be a fraction.
	Replicas() float64
	// NextPartPower reports whether a part power increase is under way; the
	// policy must then be left alone (Swift: obj/replicator.py collect_jobs).
	NextPartPower() bool
	// Primaries are the nodes of a partition in ring order, without repeats.
	// Nil when the partition is not in the ring.
	Primaries(part uint32) []Node
	// Handoffs yields every other device in Swift's exact handoff order.
	Handoffs(part uint32) iter.Seq[Node]
	// Devices are all devices of the ring (removed ones left out).
	Devices() []Node
	// Local are the devices of this node.
	Local() []Node
}

// PolicyRing is what is known of one replication policy's ring.
type PolicyRing struct {
	Policy Policy
	Ring   Ring  // nil when Err is set and no earlier ring was ever read
	Err    error // why the newest file could not be used, or nil
}

// View is one consistent reading of all rings: policies in swift.conf order,
// replication type only. A View is immutable; Version grows with each change.
type View struct {
	Version  uint64
	Policies []PolicyRing
}

// Policy returns what is known of a policy's ring; the zero value if nothing is.
func (v *View) Policy(index int) PolicyRing {
	if v != nil {
		for _, p := range v.Policies {
			if p.Policy.Index == index {
				return p
			}
		}
	}
	return PolicyRing{}
}

// Differs tells whether any ring in use is another one than in an earlier view.
func (v *View) Differs(before *View) bool {
	if before == nil || len(v.Policies) != len(before.Policies) {
		return true
	}
	for _, p := range v.Policies {
		if before.Policy(p.Policy.Index).Ring != p.Ring {
			return true
		}
	}
	return false
}

// Find returns the ring of a policy, or nil.
func (v *View) Find(policy int) Ring { return v.Policy(policy).Ring }
