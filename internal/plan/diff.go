package plan

import (
	"maps"
	"slices"

	"understudy/messages"
)

// Differ lists the suffixes that local has and remote lacks or holds otherwise,
// sorted. Suffixes only the remote has are its own business: replication pushes.
// Swift: obj/replicator.py update.
func Differ(local, remote messages.Hashes) []string {
	var out []string
	for suffix, hash := range local {
		if other, ok := remote[suffix]; !ok || other != hash {
			out = append(out, suffix)
		}
	}
	slices.Sort(out)
	return out
}

// ListsDir tells whether a partition's directory is listed for unknown suffixes
// in a pass: every tenth pass of each partition, spread by its number.
// Swift: obj/replicator.py _do_listdir.
func ListsDir(part uint32, cycle int) bool {
	return (uint64(part)+uint64(cycle))%10 == 0
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
