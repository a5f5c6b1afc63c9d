package plan

import "understudy/messages"

// Role is what this node has to do for one of its partitions.
type Role struct {
	Kind  messages.Kind
	Local messages.Node   // the local device's entry in the ring
	Peers []messages.Node // the primaries that are not the local device, in ring order
}

// RoleOf tells a partition's role on a device. ok is false when the ring has no
// such partition or no such local device: nothing may be done then.
//
// Unlike Swift: a partition outside the ring has no role. Swift sees a handoff
// with zero primaries and removes it without having copied it anywhere.
func RoleOf(ring messages.Ring, device string, part uint32) (role Role, ok bool) {
	if ring == nil || part >= ring.Partitions() {
		return Role{}, false
	}
	local, ok := localNode(ring, device)
	if !ok {
		return Role{}, false
	}
	role = Role{Kind: messages.Revert, Local: local}
	for _, n := range ring.Primaries(part) {
		if n.ID == local.ID {
			role.Kind = messages.Update
			continue
		}
		role.Peers = append(role.Peers, n)
	}
	return role, true
}

func localNode(ring messages.Ring, device string) (messages.Node, bool) {
	for _, n := range ring.Local() {
		if n.Device == device {
			return n, true
		}
	}
	return messages.Node{}, false
}

// LocalDevices are the names of all devices of this node in a view, sorted and
// without repeats. Policies whose ring could never be read contribute nothing.
func LocalDevices(v *messages.View) []string {
	seen := map[string]bool{}
	for _, p := range v.Policies {
		if p.Ring == nil {
			continue
		}
		for _, n := range p.Ring.Local() {
			seen[n.Device] = true
		}
	}
	return sortedKeys(seen)
}

// SameNodes tells whether two lists name the same ring devices at the same
// addresses, in any order.
func SameNodes(a, b []messages.Node) bool {
	if len(a) != len(b) {
		return false
	}
	known := map[messages.Node]bool{}
	for _, n := range a {
		n.Index = 0
		known[n] = true
	}
	for _, n := range b {
		n.Index = 0
		if !known[n] {
			return false
		}
	}
	return true
}
