package main

// bug is one way to break the program, and what finds it.
type bug struct {
	name string // as UNDERSTUDY_BUG says
	does string
	pkg  string // of the test, a folder
	test string // its function
}

// bugs are all of the zoo. docs/experiments.md has a row for each.
var bugs = []bug{
	{"rmtree-revert", "a reverted partition is removed as a tree, with what has arrived in it", "internal/store", "TestRemoveProperty"},
	{"trust-exit-0", "rsync's exit status 0 proves a copy", "internal/transport/rsync", "TestTruncatedTwin"},
	{"no-dir-fsync", "the directories of a new file are not synced", "internal/store", "TestPowerCuts"},
	{"retry-fsync", "an fsync that has failed is tried again", "internal/store", "TestFailedFsyncIsFinal"},
	{"507-counts", "a peer whose disk is gone counts as one that has all", "actors", "TestOverReplicatesOnlyForUnmounted"},
	{"stale-role", "the role is that of the job's beginning when the first file is unlinked", "actors", "TestRevertLooksAtTheNewestRing"},
	{"no-mount-check", "nobody looks whether a disk is mounted", "internal/store", "TestUnmountedStaysUntouched"},
	{"eio-is-absence", "what cannot be read is not there", "internal/store", "TestDeadDiskIsNoEmptyDisk"},
	{"hash-before-check", "hashes.pkl is written without a look at what has been invalidated meanwhile", "internal/store", "TestInvalidationWhileHashing"},
	{"temp-hashed", "the temporary file of an rsync is hashed as what it is going to be", "internal/store", "TestVectorsOnDisk"},
	{"answered-twice", "an answer that comes twice counts twice", "actors", "TestAnswersThatComeTwice"},
	{"slot-leak", "the slot of a job whose actor has crashed does not come back", "actors", "TestPartitionCrash"},
	{"short-body", "a body that ends early is stored", "internal/server", "TestCutBodies"},
	{"tie-by-arrival", "of two files with one timestamp the later one to arrive wins", "internal/server", "TestSaysAsSwift"},
	{"no-fence", "device, partition and lock are not looked at again before files go", "internal/store", "TestRemoveLosesLocks"},
	{"marked-once", "a suffix is marked before the new file has its name, and not after it", "internal/store", "TestHashedWhileWritten"},
	{"tombstone-first", "a tombstone is reclaimed though what it buries is still there", "internal/store", "TestTombstoneStaysWithItsDead"},
	{"unsettled", "a proven handoff goes in the pass that has pushed it, whatever handoff_settle says", "actors", "TestHandoffSettles"},
}
