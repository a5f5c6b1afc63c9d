// Package conformance is what every transport must do, as tests that run against
// any of them.
package conformance

import (
	"context"
	"testing"

	"understudy/messages"
)

// Fixture is one transport between two devices of different nodes, fresh for each
// test. Both devices have the directory of the job's policy, and nothing in it.
type Fixture struct {
	Transport Transport
	// Job makes an update job that sends suffixes of a partition to the target.
	Job    func(part uint32, suffixes ...string) messages.SyncJob
	Source Side
	Target Side
	// Unmount takes the target's disk away: its mount point stays, and is empty.
	Unmount func()
	// MountPoint lists what is below the target's mount point after Unmount.
	MountPoint func() []string
	// Freeze makes the target stop answering while connections to it still open.
	Freeze func()
}

// Transport is actors.Transport.
type Transport interface {
	Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error)
}

// Side reads and writes the partitions of one device, past the transport.
type Side interface {
	// Put stores a file at suffix/hash/name of a partition.
	Put(part uint32, path string, f File)
	// Files returns what a partition holds, by path; nil when it does not exist.
	Files(part uint32) map[string]File
}

// File is one file of a hash directory.
type File struct {
	Data     string
	Metadata string // the extended attribute user.swift.metadata
}

// Run runs every test against fixtures that make makes.
func Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"new suffixes arrive whole", newSuffixes},
		{"a revert arrives too", revert},
		{"only the named suffixes travel", onlyNamed},
		{"existing files are not overwritten", keepExisting},
		{"some suffixes exist already", someExist},
		{"tombstones and meta files travel", tombstones},
		{"temporary files stay at home", temporaryFiles},
		{"a missing target device fails and stays missing", missingTarget},
		{"a missing source suffix fails", missingSource},
		{"one of two suffixes is missing", halfMissing},
		{"partitions sync at the same time", concurrent},
		{"a second sync changes nothing", again},
		{"a revert proves what it pushed", provesWhatItPushed},
		{"a truncated twin is not proven", truncatedTwin},
		{"only what was listed is proven", onlyWhatWasListed},
		{"a failed revert proves nothing", failureProvesNothing},
		{"cancel ends a sync", cancel},
		{"a cancelled sync does not begin", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&suite{T: t, Fixture: fixture(t)}) })
	}
}
