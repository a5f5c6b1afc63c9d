package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/server/swifttest"
)

// Swift's own replicator, with sync_method = ssync, compares a partition with our
// server and pushes what is missing there: in the end both devices hold the same
// files, in the same bytes.
func TestSwiftReplicatorPushes(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	for _, dir := range []string{filepath.Join(here, "sda1"), filepath.Join(there, "sdb1", "objects")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	filler := ssyncServer(t, here, io.Discard, nil)
	for part, reqs := range map[string][]string{
		"7": {
			putReq("/a/c/plain", "body", "X-Object-Meta-A: b"), putReq("/a/c/zero", ""), putReq("/a/c/large", strings.Repeat("0123456789", 30_000)),
			putReq("/a/c/posted", "x"), subreq("POST", "/a/c/posted", "X-Timestamp: "+at1, "X-Object-Meta-Color: red"), subreq("DELETE", "/a/c/gone", "X-Timestamp: "+at1),
		},
		"200": {putReq("/a/c/other", "body")},
	} {
		if s := tell(t, filler, "/sda1/"+part, false, nil, begin, strings.Join(reqs, ""), end); !s.whole {
			t.Fatalf("%+v", s)
		}
	}
	log := &lines{}
	_, port, err := net.SplitHostPort(ssyncServer(t, there, log, nil))
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(map[string]any{"root": here, "mine": 6999, "theirs": json.Number(port)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var got struct {
			RC  int
			Log string
		}
		if err := json.Unmarshal(swifttest.Python(t, "testdata/replicate.py", bytes.NewReader(in)), &got); err != nil || got.RC != 0 {
			t.Fatalf("swift-object-replicator: %v, %+v", err, got)
		}
		want, have := objectsOf(t, filepath.Join(here, "sda1")), objectsOf(t, filepath.Join(there, "sdb1"))
		if len(want) != 7 || len(have) != len(want) {
			t.Fatalf("%d files here, %d there\n%s\n%s", len(want), len(have), got.Log, log)
		}
		for path, text := range want {
			if have[path] != text {
				t.Errorf("%s is %.300q, want %.300q", path, have[path], text)
			}
		}
		if !strings.Contains(got.Log, "0 failures") {
			t.Errorf("swift-object-replicator:\n%s", got.Log)
		}
	}
}

// objectsOf is everything in hash directories below a device.
func objectsOf(t *testing.T, device string) map[string]string {
	t.Helper()
	all := everything(t, device)
	for path := range all {
		if len(strings.Split(path, "/")) != 5 {
			delete(all, path)
		}
	}
	return all
}
