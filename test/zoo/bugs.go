package main

import "strconv"

// bug is one way to break the program, and what finds it.
type bug struct {
	name string // as UNDERSTUDY_BUG says
	does string
	pkg  string // of the test, a folder
	test string // its function
	args []string
}

// simulated is a bug that campaigns of internal/sim have caught, and the seed.
type simulated struct {
	name string
	seed uint64
}

// inSimulation are the bugs of which a simulated cluster shows something, with the seed
// that has shown it. A change of the engine or the harness makes another run of a seed, so
// up to 40 are tried from there on.
var inSimulation = []simulated{
	{"no-dir-fsync", 70000},
	{"no-mount-check", 70000},
	{"slot-leak", 70007},
	{"marked-once", 130102},
}

// bySimulation are the same bugs, to be found by the campaign that begins with their seed.
func bySimulation() (all []bug) {
	for _, s := range inSimulation {
		for _, b := range bugs {
			if b.name == s.name {
				b.pkg, b.test = "internal/sim", "TestCampaign"
				b.args = []string{"-sim.first", "-sim.twice=0", "-sim.seeds=40", "-sim.from=" + strconv.FormatUint(s.seed, 10)}
				all = append(all, b)
			}
		}
	}
	return all
}

// bugs are all of the zoo. docs/experiments.md has a row for each.
var bugs = []bug{
	{"rmtree-revert", "a reverted partition is removed as a tree, with what has arrived in it", "internal/store", "TestRemoveProperty", nil},
	{"trust-exit-0", "rsync's exit status 0 proves a copy", "internal/transport/rsync", "TestTruncatedTwin", nil},
	{"no-dir-fsync", "the directories of a new file are not synced", "internal/store", "TestPowerCuts", nil},
	{"retry-fsync", "an fsync that has failed is tried again", "internal/store", "TestFailedFsyncIsFinal", nil},
	{"507-counts", "a peer whose disk is gone counts as one that has all", "actors", "TestOverReplicatesOnlyForUnmounted", nil},
	{"stale-role", "the role is that of the job's beginning when the first file is unlinked", "actors", "TestRevertLooksAtTheNewestRing", nil},
	{"no-mount-check", "nobody looks whether a disk is mounted", "internal/store", "TestUnmountedStaysUntouched", nil},
	{"eio-is-absence", "what cannot be read is not there", "internal/store", "TestDeadDiskIsNoEmptyDisk", nil},
	{"hash-before-check", "hashes.pkl is written without a look at what has been invalidated meanwhile", "internal/store", "TestInvalidationWhileHashing", nil},
	{"temp-hashed", "the temporary file of an rsync is hashed as what it is going to be", "internal/store", "TestVectorsOnDisk", nil},
	{"answered-twice", "an answer that comes twice counts twice", "actors", "TestAnswersThatComeTwice", nil},
	{"slot-leak", "the slot of a job whose actor has crashed does not come back", "actors", "TestPartitionCrash", nil},
	{"short-body", "a body that ends early is stored", "internal/server", "TestCutBodies", nil},
	{"tie-by-arrival", "of two files with one timestamp the later one to arrive wins", "internal/server", "TestSaysAsSwift", nil},
	{"no-fence", "device, partition and lock are not looked at again before files go", "internal/store", "TestRemoveLosesLocks", nil},
	{"marked-once", "a suffix is marked before the new file has its name, and not after it", "internal/store", "TestHashedWhileWritten", nil},
	{"tombstone-first", "a tombstone is reclaimed though what it buries is still there", "internal/store", "TestTombstoneStaysWithItsDead", nil},
	{"unsettled", "a proven handoff goes in the pass that has pushed it, whatever handoff_settle says", "actors", "TestHandoffSettles", nil},
}
