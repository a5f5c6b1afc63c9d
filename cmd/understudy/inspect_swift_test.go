package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/inspect"
)

// swiftObjectInfo prints what swift-object-info prints of each file, with the hash path
// of the cluster's own swift.conf. Of a tombstone it prints a part and then fails: a
// tombstone has a name, but no content.
const swiftObjectInfo = `
import sys
from swift.common import utils
utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = sys.argv[1].encode(), sys.argv[2].encode()
from swift.cli.info import print_obj
for path in sys.argv[4:]:
    print(chr(0) + path)
    try:
        print_obj(path, swift_dir=sys.argv[3])
    except Exception as err:
        print(err)
`

// What inspect object tells of a data file or tombstone is what Swift's own
// swift-object-info tells of it.
func TestInspectAsSwift(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import swift.cli.info").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Swift is not installed")
		}
		t.Skip("NOT COMPARED WITH SWIFT: it is not installed")
	}
	l := newLooked(t, nil)
	swift := l.Node(1).Config.Swift
	args := []string{"-c", swiftObjectInfo, string(swift.HashPrefix), string(swift.HashSuffix), filepath.Join(l.Dir, "etc")}
	files, hashes := map[string]*inspect.ObjectFile{}, map[string]string{}
	for _, o := range l.history.Objects[:12] {
		dir := filepath.Join(l.Primaries(o.Partition)[0].Path(), o.Dir())
		found := l.inspectObject(1, dir, "--verify")[0].Files
		for i := range found {
			path := filepath.Join(dir, found[i].Name)
			files[path], hashes[path] = &found[i], o.Hash
			args = append(args, path)
		}
	}
	out, err := exec.Command("/usr/bin/python3", args...).Output()
	if err != nil {
		t.Fatalf("swift-object-info: %v\n%s", err, out)
	}
	for _, text := range strings.Split(string(out), "\x00")[1:] {
		path, text, _ := strings.Cut(text, "\n")
		sameAsSwift(t, files[path], text, hashes[path])
		delete(files, path)
	}
	if len(files) > 0 {
		t.Errorf("Swift has told nothing of %d files", len(files))
	}
}

// inLatin1 is how Swift prints a header: a character for each byte.
func inLatin1(item inspect.Item) string {
	raw := item.Value
	if item.Escaped {
		raw = regexp.MustCompile(`\\(x..|\\)`).ReplaceAllStringFunc(raw, func(code string) string {
			if code == `\\` {
				return `\`
			}
			n, _ := strconv.ParseUint(code[2:], 16, 8)
			return string([]byte{byte(n)})
		})
	}
	var b strings.Builder
	for _, c := range []byte(raw) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

func sameAsSwift(t *testing.T, f *inspect.ObjectFile, swift, hash string) {
	t.Helper()
	want := []string{"Timestamp: " + f.Date.Format("2006-01-02T15:04:05.000000") + " (" + f.Time + ")"}
	if f.Part == inspect.PartData {
		want = append(want, "Object hash: "+hash, "ETag: "+f.MD5+" (valid)")
	}
	for _, item := range f.Metadata {
		switch item.Name {
		case "name":
			want = append(want, "Path: "+item.Value)
		case "X-Timestamp", "ETag":
		case "Content-Length":
			want = append(want, "Content-Length: "+item.Value+" (valid)")
		default:
			want = append(want, item.Name+": "+inLatin1(item))
		}
	}
	for _, line := range want {
		if !strings.Contains(swift, line+"\n") { // a name may have line ends of its own
			t.Errorf("Swift does not say %q:\n%s", line, swift)
		}
	}
}
