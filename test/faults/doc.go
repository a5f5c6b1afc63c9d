// Package faults puts our replicator, as a daemon, on disks and beside peers that are
// really ill: disks that die, freeze, hang, fill up, turn read-only or vanish in the
// middle of its work, peers that are stopped, say nothing or break off. Every test
// wants the same: the ill one is named where operators look, all others are served
// meanwhile, it is taken back by itself when it is well, nothing is lost, and SIGTERM
// ends the daemon whatever hangs. The tests need root, Swift's packages, rsync and
// xfsprogs; without them they fail. UNDERSTUDY_BIN names another program to test.
package faults
