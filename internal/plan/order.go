package plan

import "slices"

// Order puts the jobs of one disk into the order in which they run: shuffled, so
// that the nodes of a cluster do not all fall upon the same peer at the same time,
// and with handoffs first, if that is asked for, in the shuffled order otherwise.
// Swift: obj/replicator.py collect_jobs.
func Order[J any](jobs []J, shuffle func(n int, swap func(i, j int)), handoffsFirst bool, isHandoff func(J) bool) {
	shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	if !handoffsFirst {
		return
	}
	first := make([]J, 0, len(jobs))
	rest := make([]J, 0, len(jobs))
	for _, j := range jobs {
		if isHandoff(j) {
			first = append(first, j)
		} else {
			rest = append(rest, j)
		}
	}
	copy(jobs, slices.Concat(first, rest))
}
