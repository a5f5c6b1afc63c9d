package lab

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/metadata"
)

// readWithSwift hashes and opens everything on one disk with Swift's classes.
const readWithSwift = `
import json, os, sys
from swift.common import utils
utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = sys.argv[3].encode(), sys.argv[4].encode()
from swift.common.exceptions import DiskFileDeleted, DiskFileNotExist
from swift.common.storage_policy import POLICIES
from swift.obj import diskfile

class Log(object):
    def __getattr__(self, name):
        return lambda *args, **kwargs: None

root, device = sys.argv[1:3]
manager = diskfile.DiskFileManager({'devices': root, 'mount_check': 'false'}, Log())
answer = {'hashes': {}, 'objects': {}}
objects = os.path.join(root, device, 'objects')
for part in os.listdir(objects):
    _, answer['hashes'][part] = manager._get_hashes(device, part, POLICIES[0], do_listdir=True)
    for suffix in os.listdir(os.path.join(objects, part)):
        if len(suffix) != 3:
            continue
        for name in os.listdir(os.path.join(objects, part, suffix)):
            at = '/'.join(['objects', part, suffix, name])
            try:
                df = manager.get_diskfile_from_hash(device, part, name, POLICIES[0])
                with df.open():
                    answer['objects'][at] = {
                        'meta': {k: (v.encode('utf-8') if k == 'name' else v.encode('latin-1')).decode('latin-1')
                                 for k, v in df.get_metadata().items()},
                        'size': sum(len(chunk) for chunk in df.reader()),
                    }
            except DiskFileDeleted as err:
                answer['objects'][at] = {'deleted': err.timestamp.internal}
            except DiskFileNotExist:
                answer['objects'][at] = {}  # a tombstone, or quarantined
answer['left'] = sorted(os.listdir(os.path.join(root, device)))
print(json.dumps(answer))
`

type swiftObject struct {
	Meta    map[string]string `json:"meta"`
	Size    int64             `json:"size"`
	Deleted string            `json:"deleted"`
}

// Swift itself reads the seeded objects: as the same objects, with nothing to
// quarantine, and with the suffix hashes that the check expects.
func TestSwiftReadsSeededObjects(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 1, Disks: 2, Replicas: 2, PartPower: 3})
	h := seed(t, c, 150)
	p := Place{c.Node(1), "d1"}
	cmd := exec.Command("/usr/bin/python3", "-c", readWithSwift, p.Node.DevicesRoot(), p.Disk, hashPrefix, hashSuffix)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift: %v\n%s", err, stderr.Bytes())
	}
	var got struct {
		Hashes  map[string]map[string]string `json:"hashes"`
		Objects map[string]swiftObject       `json:"objects"`
		Left    []string                     `json:"left"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"objects", "tmp"}; !slices.Equal(got.Left, want) {
		t.Errorf("on the disk: %v", got.Left)
	}
	for part, want := range c.wantedHashes(h)[p] {
		for suffix, sum := range want {
			if told := got.Hashes[strconv.Itoa(int(part))][suffix]; told != sum {
				t.Errorf("partition %d suffix %s: Swift hashes %q, the check %s", part, suffix, told, sum)
			}
		}
	}
	if len(got.Objects) != len(h.Objects) {
		t.Errorf("Swift sees %d objects, not %d", len(got.Objects), len(h.Objects))
	}
	for i := range h.Objects {
		sameToSwift(t, &h.Objects[i], got.Objects[h.Objects[i].Dir()])
	}
	if v := check(t, c, h); !v.OK() {
		t.Errorf("after Swift: %v", v.Problems)
	}
}

// sameToSwift compares with the object that its files amount to: the newest
// update wins, the newest content type as well.
func sameToSwift(t *testing.T, o *Object, got swiftObject) {
	t.Helper()
	first := o.Files[0]
	if at, ok := strings.CutSuffix(first.Name, ".ts"); ok {
		if got.Deleted != at {
			t.Errorf("%s: %+v, deleted at %s", o.Name, got, at)
		}
		return
	}
	newest, typed := first.Metadata, first.Metadata
	for _, f := range o.Files[1:] {
		i, err := diskfile.ParseName(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		newest = f.Metadata
		if i.HasCType {
			typed = f.Metadata
		}
	}
	for name, from := range map[string]metadata.Metadata{
		"name": first.Metadata, "ETag": first.Metadata, "Content-Length": first.Metadata, "X-Object-Sysmeta-Draw": first.Metadata,
		"Content-Type": typed, "X-Object-Meta-Note": newest, "X-Timestamp": newest,
	} {
		want, _ := from.Get(name)
		value, ok := "", false
		for k, v := range got.Meta { // Swift's case may be another
			if strings.EqualFold(k, name) {
				value, ok = narrowed(v), true
			}
		}
		if !ok || value != want {
			t.Errorf("%s: Swift reads %s %q (%v), want %q", o.Name, name, value, ok, want)
		}
	}
	if got.Size != first.Size {
		t.Errorf("%s: Swift reads %d bytes, want %d", o.Name, got.Size, first.Size)
	}
}

// narrowed takes the bytes out of a text with one character for each.
func narrowed(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}
