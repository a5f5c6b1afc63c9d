// Package plan holds the pure decisions of replication: which role this node has
// for a partition, whom to ask next, which suffixes differ, in which order jobs
// run, how long to wait after a crash, what the lines of a pass say. It does no
// I/O, starts no goroutine and draws no random number of its own.
package plan
