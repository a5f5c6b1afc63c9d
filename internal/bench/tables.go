package bench

import (
	"fmt"
	"io"
	"strings"
)

// table is one section of the page.
type table struct {
	key, title, intro string
	columns           []string
	plot, shows       string // under the rows: name, and what it shows
}

// The tables in the order of the page.
var tables = []table{
	{
		key: "passes", title: "Passes with nothing to push",
		intro: `4 nodes with 4 devices each on loopback, trees in /dev/shm, three replicas, ` + "`concurrency = 4`" + `. All peers are Swift's own object
servers (one worker each) on the same machine, and their work is in the wall time of both programs. Each run is
` + "`swift-object-replicator CONF --once`" + ` on one node, after one that warms up. After every run, both programs' counters in the recon
cache and all cached hashes must be equal, or the benchmark fails.`,
		columns: strings.Split("#|work|Swift wall|ours wall|ratio|goal|Swift CPU|ours CPU|ratio|goal", "|"),
	},
	{
		key: "own", title: "The same pass, with our own servers",
		intro: `B1's tree and pass; all nodes run ` + "`understudy serve`" + ` for ours, and Swift's object servers for Swift. Whenever the servers change, one
pass that does not count warms them up. Our nodes compare many partitions with one request; with ` + "`native_lane = no`" + ` they
ask for each with REPLICATE, as they ask Swift's. All must end with the same counters and cached hashes.`,
		columns: strings.Split("#|program|the peers' servers|runs|partitions a second|times Swift's|goal|wall|CPU", "|"),
	},
	{
		key: "calls", title: "System calls",
		intro: `B1's pass under ` + "`strace -c -f`" + `, both programs in turn: the calls of the pass, and those of starting and stopping
(` + "`--devices=none`" + `), which are taken off. Being watched makes both slow; what is counted hardly varies.`,
		columns: strings.Split("#|program|runs|calls in the pass|in start and stop|calls a partition|the most frequent, a partition", "|"),
	},
	{
		key: "bytes", title: "Moving bytes",
		intro: `One node of four, one device each, pushes to the others, which run Swift's own servers unless the row says otherwise. Before every
run the same tree is put in place; after it, every program must have brought the same files, byte for byte, to the same nodes. Ours uses ssync here.`,
		columns: strings.Split("#|work|against|theirs wall|ours wall|ratio|goal|theirs CPU|ours CPU|ratio", "|"),
	},
	{
		key: "memory", title: "Memory of the daemon",
		intro: `The daemon on a node of 60 disks, ` + "`replicator_workers = 60`" + `: one process a disk in Swift, one for all in ours. Measured when
every disk has ended its first pass and the program rests: the proportional set size (PSS in smaps_rollup) of the program and all its
descendants, so that what they share counts once. Its peers agree with whatever it has.`,
		columns: strings.Split("#|program|processes|threads|PSS, all together|CPU of the first passes", "|"),
	},
	{
		key: "growth", title: "From ten thousand partitions to a million",
		intro: `Ours against itself: ` + "`--once`" + ` on one node, primary of all its partitions, everything in sync, ` + "`concurrency = 4`" + `. Every partition has
a hashes.pkl with one suffix; one in sixteen has the tree below it, with one empty object (the others' hashes.pkl are links to one file,
to save memory). A pass opens and locks each partition, reads its cache, and asks both peers for their hashes. All peers are one process that
answers every REPLICATE at once with the same pickle, on the same two cores: its work is in the wall time, not in the CPU time.
Memory is the process's high water mark (VmHWM); the rings are part of it. A partition costs what the whole pass took, start and stop
included, divided by their number.`,
		columns: strings.Split("#|disks × partitions|partitions|runs|first request|pass, wall|wall a partition|CPU a partition (system)|peak memory|threads at most", "|"),
		plot:    growthPlot, shows: "memory and CPU time by partitions",
	},
	{
		key: "hang", title: "One disk of sixty hangs",
		intro: `60 disks. In the middle of their passes every call on one of them hangs, for ever: that disk is a FUSE mount (and slower than the
others until then), threads that call into it cannot be killed. How long until the peers have been asked about every partition of the
other 59 disks? Without a hang that disk is one like the others. Peers as above, ` + "`concurrency = 4`" + `;
ours with ` + "`probe_interval = 1` and `probe_timeout = 2`" + `. Swift's figures are of one run each; with a process for each disk (concurrency 1) it has nothing to wait for, at the price in B8.`,
		columns: strings.Split("#|program|runs|no hang|one disk hangs|ratio|goal", "|"),
	},
	{
		key: "first", title: "From start to the first job",
		intro: `The time from starting the program to the first REPLICATE that reaches a peer, 60 disks with 20,000 partitions each on a tmpfs,
` + "`concurrency = 4`" + `. Swift lists all disks before it begins; with ` + "`replicator_workers = 60`" + ` each of its processes lists one.`,
		columns: strings.Split("#|against|runs|theirs|ours|ratio|goal", "|"),
	},
}

// write writes the table of those entries that belong to it.
func (t table) write(w io.Writer, entries []entry) {
	var mine []entry
	for _, e := range entries {
		if e.Table == t.key {
			mine = append(mine, e)
		}
	}
	if len(mine) == 0 {
		return
	}
	fmt.Fprintf(w, "## %s\n\n%s\n\n", t.title, t.intro)
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
	for _, e := range mine {
		for _, row := range e.Rows {
			fmt.Fprintf(w, "| %s |\n", strings.Join(append([]string{e.Name}, row...), " | "))
		}
	}
	fmt.Fprintln(w)
	for _, e := range mine {
		for _, line := range e.Below {
			fmt.Fprintln(w, line+"  ")
		}
	}
	for _, e := range mine {
		fmt.Fprintf(w, "%s: %s, load %s, `%s`  \n", e.Name, e.Measured, e.Load, e.Command)
	}
	fmt.Fprintln(w)
}
