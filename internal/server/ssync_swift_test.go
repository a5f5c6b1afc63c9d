package server_test

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/server"
	"understudy/internal/server/swifttest"
	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
)

// What swifttest's servers have in swift.conf.
var secrets = hashpath.Hasher{Prefix: []byte("pre"), Suffix: []byte("suf")}

const (
	at0 = "1700000000.00000"
	at1 = "1700000001.00000"
	at2 = "1700000002.00000"
	at3 = "1700000003.00000"
)

func hashOf(name string) string {
	p := strings.SplitN(name, "/", 4)
	return secrets.Hex(p[1], p[2], p[3])
}

// ssyncServer serves SSYNC for a devices directory.
func ssyncServer(t *testing.T, root string, log io.Writer, tune func(*server.Config)) string {
	t.Helper()
	disks := store.New(store.Options{Root: root, ReclaimAge: 100 * 365 * 24 * time.Hour, Log: zerolog.New(log)})
	cfg := server.Config{
		Store: disks, Policies: policies, Log: zerolog.New(log), Limits: server.Limits{Drain: time.Second},
		Ssync: server.Ssync{Store: disks, Paths: secrets, Write: store.WriteRules{Reserve: &store.Reserve{}}},
	}
	if tune != nil {
		tune(&cfg)
	}
	return start(t, server.New(cfg))
}

// said is what a receiver has said to a request.
type said struct {
	status int
	header string // names and values that are not of the moment
	body   string
	whole  bool // the body came to its end
}

// tell sends the lines of an SSYNC, each as a chunk, and reads all that comes. A
// final chunk is sent unless cut is set; then the connection is only shut down.
func tell(t testing.TB, address, target string, cut bool, headers []string, chunks ...string) said {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "SSYNC %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\nTransfer-Encoding: chunked\r\n%s\r\n",
		target, strings.Join(append(headers, ""), "\r\n"))
	for _, chunk := range chunks {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	if !cut {
		b.WriteString("0\r\n\r\n")
	}
	go func() {
		_, _ = io.WriteString(c, b.String())
		if cut {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "SSYNC"})
	if err != nil {
		t.Fatalf("%s %.200q: %v", target, chunks, err)
	}
	body, err := io.ReadAll(resp.Body)
	s := said{status: resp.StatusCode, body: string(body), whole: err == nil}
	for _, name := range []string{"Content-Type", "X-Backend-Accept-No-Commit"} {
		s.header += name + ": " + strings.Join(resp.Header[name], "|") + "\n"
	}
	return s
}

// put and the rest make subrequests.
func putReq(name, body string, headers ...string) string {
	sum := md5.Sum([]byte(body))
	all := append([]string{
		"Content-Length: " + strconv.Itoa(len(body)), "Content-Type: text/plain", "ETag: " + hex.EncodeToString(sum[:]), "X-Timestamp: " + at0,
	}, headers...)
	return subreq("PUT", name, all...) + body
}

func subreq(method, name string, headers ...string) string {
	return method + " " + name + "\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

const (
	missing = ":MISSING_CHECK: START\r\n:MISSING_CHECK: END\r\n"
	begin   = missing + ":UPDATES: START\r\n"
	end     = ":UPDATES: END\r\n"
)

// everything is all that is below a device: paths, sizes, contents, attributes.
func everything(t testing.TB, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() || d.Name() == "hashes.invalid" {
			return err // a failed PUT leaves an empty directory in Swift
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		dir, err := os.Stat(filepath.Dir(path))
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all[rel] = fmt.Sprintf("%s %s %s %s", dir.Mode(), i.Mode(), content, attributes(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func attributes(t testing.TB, path string) (text string) {
	t.Helper()
	buffer := make([]byte, 70000)
	for _, name := range []string{metadata.Attribute, metadata.Attribute + "1", metadata.ChecksumAttribute} {
		n, err := unix.Lgetxattr(path, name, buffer)
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%s=%q ", name, buffer[:n])
	}
	return text
}

// pair is a receiver of Swift's and one of ours, with the same on their disks.
type pair struct {
	t                  *testing.T
	theirs, ours       string
	theirRoot, ourRoot string
}

func newPair(t *testing.T, options []string, tune func(*server.Config)) *pair {
	p := &pair{t: t, theirRoot: t.TempDir(), ourRoot: t.TempDir()}
	for _, root := range []string{p.theirRoot, p.ourRoot} {
		if err := os.MkdirAll(filepath.Join(root, "sda1"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.theirs = swifttest.ObjectServer(t, p.theirRoot, append([]string{"reclaim_age = 3153600000"}, options...)...)
	p.ours = ssyncServer(t, p.ourRoot, io.Discard, tune)
	return p
}

// same sends one request to both and compares what they say.
func (p *pair) same(what, target string, cut bool, headers []string, chunks ...string) said {
	p.t.Helper()
	want := tell(p.t, p.theirs, target, cut, headers, chunks...)
	got := tell(p.t, p.ours, target, cut, headers, chunks...)
	if got != want {
		p.t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
	return got
}

// sameDisk compares what is on the disks.
func (p *pair) sameDisk(what string) {
	p.t.Helper()
	want, got := everything(p.t, p.theirRoot), everything(p.t, p.ourRoot)
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			p.t.Errorf("%s: %s is\n%.2000s\nin Swift\n%.2000s", what, path, got[path], want[path])
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			p.t.Errorf("%s: %s is there, in Swift not", what, path)
		}
	}
}

// Every object that both are sent is stored in the same bytes: names, contents,
// modes, metadata.
func TestStoresAsSwift(t *testing.T) {
	p := newPair(t, nil, nil)
	long := strings.Repeat("v", 200)
	for _, c := range []struct {
		what string
		reqs []string
	}{
		{"plain", []string{putReq("/a/c/plain", "body")}},
		{"zero bytes", []string{putReq("/a/c/zero", "")}},
		{"names", []string{putReq("/a/c/%E2%98%83%20x%3Fy%25/z//", "odd"), putReq("/a/c/..%2F..%2Fx", "dots"), putReq("/a/c/.", "dot")}},
		{"reserved", []string{putReq("/a/%00c/%00o", "nul"), putReq("/.a/c/o", "service")}},
		{"user metadata", []string{putReq("/a/c/user", "body", "X-Object-Meta-Color: blue", "X-Object-Meta-foo_bar: under", "x-object-meta-UPPER-case: Value ",
			"X-Object-Meta-Empty:", "X-Object-Meta-One: 1", "X-Object-Meta-Two: 1", "X-Object-Meta-D1gits2go: d")}},
		{"non-ASCII", []string{putReq("/a/c/unicode", "body", "X-Object-Meta-Caf\xc3\xa9: na\xc3\xafve", "X-Object-Meta-\xc3\x89t\xc3\xa9: \xe2\x98\x83!", "X-Object-Meta-Raw: \xff\xfe.", "Content-Disposition: caf\xc3\xa9!")}},
		{"system metadata", []string{putReq("/a/c/sys", "body", "X-Object-Sysmeta-Symlink-Target: c/o", "X-Object-Transient-Sysmeta-Crypto: x", "X-Static-Large-Object: True",
			"X-Object-Sysmeta-Slo-Etag: abc", "X-Delete-At: 1800000000", "Content-Encoding: gzip", "X-Object-Manifest: c/p", "X-Backend-Something: 1", "X-Odd: 2")}},
		{"two of a name", []string{putReq("/a/c/twice", "body", "X-Object-Meta-A: 1", "X-Object-Meta-B: 2", "X-Object-Meta-A: 3", "X-Object-Meta-a_b: 1", "X-Object-Meta-A-B: 2")}},
		{"expired", []string{putReq("/a/c/expired", "gone", "X-Delete-At: 1600000000")}},
		{"offset", []string{subreq("PUT", "/a/c/offset", "Content-Length: 1", "Content-Type: t/x", "X-Timestamp: "+at0+"_0000000000000003") + "x"}},
		{"odd time", []string{subreq("PUT", "/a/c/oddtime", "Content-Length: 1", "Content-Type: t/x", "X-Timestamp: 1700000000") + "x", subreq("DELETE", "/a/c/oddtime2", "X-Timestamp: 1700000000.5")}},
		{"no etag", []string{subreq("PUT", "/a/c/noetag", "Content-Length: 1", "Content-Type: t/x", "X-Timestamp: "+at0) + "x"}},
		{"quoted etag", []string{subreq("PUT", "/a/c/quoted", "Content-Length: 1", "Content-Type: t/x", `ETag: "9dd4e461268c8034f5c8564e155c67a6"`, "X-Timestamp: "+at0) + "x"}},
		{"no commit", []string{putReq("/a/c/nocommit", "x", "X-Backend-No-Commit: True")}},
		{"large metadata", []string{putReq("/a/c/largemeta", "x", slices.Collect(func(yield func(string) bool) {
			for i := range 400 {
				if !yield(fmt.Sprintf("X-Object-Sysmeta-H%d: %s", i, long)) {
					return
				}
			}
		})...)}},
		{"blocks", []string{putReq("/a/c/block", strings.Repeat("b", 65536)), putReq("/a/c/blocks", strings.Repeat("0123456789", 20_000))}},
		{"tombstones", []string{subreq("DELETE", "/a/c/never", "X-Timestamp: "+at1), subreq("DELETE", "/a/c/offset", "X-Timestamp: "+at0+"_0000000000000004"), subreq("DELETE", "/a/c/plain", "X-Timestamp: "+at1)}},
		{"after the tombstone", []string{putReq("/a/c/plain", "again", "X-Timestamp: "+at2)}},
		{"overwrite", []string{putReq("/a/c/zero", "more", "X-Timestamp: "+at1)}},
		{"post", []string{subreq("POST", "/a/c/user", "X-Timestamp: "+at1, "X-Object-Meta-Color: red", "X-Object-Meta-foo_bar: u", "X-Object-Meta-Caf\xc3\xa9: \xc3\xa9.", "X-Delete-At: 1800000001")}},
		{"post with a type", []string{subreq("POST", "/a/c/sys", "Content-Type: text/x", "Content-Type-Timestamp: "+at1, "X-Timestamp: "+at1, "X-Object-Meta-Color: red")}},
		{"post with an older type", []string{subreq("POST", "/a/c/sys", "Content-Type: text/y", "Content-Type-Timestamp: "+at0, "X-Timestamp: "+at2, "X-Object-Meta-Color: green")}},
		{"post of a newer type only", []string{
			putReq("/a/c/typed", "x"), subreq("POST", "/a/c/typed", "X-Timestamp: "+at3, "X-Object-Meta-A: 3"),
			subreq("POST", "/a/c/typed", "Content-Type: text/z", "Content-Type-Timestamp: "+at2, "X-Timestamp: "+at2, "X-Object-Meta-A: 2"),
		}},
		{"post without a type after one", []string{subreq("POST", "/a/c/typed", "X-Timestamp: 1700000004.00000", "X-Object-Meta-A: 4")}},
		{"post of a type without a time", []string{subreq("POST", "/a/c/typed", "Content-Type: text/w", "X-Timestamp: 1700000005.00000", "X-Object-Meta-A: 5")}},
		{"post with offset", []string{putReq("/a/c/po", "x"), subreq("POST", "/a/c/po", "X-Timestamp: "+at1+"_000000000000000a", "X-Object-Meta-A: 5")}},
		{"put between posts", []string{putReq("/a/c/typed", "y", "X-Timestamp: 1700000004.50000")}},
		{"post to an expired one", []string{subreq("POST", "/a/c/expired", "X-Timestamp: "+at1, "X-Object-Meta-A: 5")}},
		{"put over an expired one", []string{putReq("/a/c/expired", "back", "X-Timestamp: "+at2)}},
		{"post to nothing", []string{subreq("POST", "/a/c/nothing", "X-Timestamp: "+at1)}},
	} {
		// No file system of a test machine has room for metadata without bounds.
		tooLarge := c.what == "large metadata"
		if s := p.same(c.what, "/sda1/7", false, nil, begin, strings.Join(c.reqs, ""), end); !tooLarge && !strings.HasSuffix(s.body, ":UPDATES: START\r\n:UPDATES: END\r\n") {
			t.Errorf("%s: %q", c.what, s.body)
		}
		p.sameDisk(c.what)
		if t.Failed() {
			return
		}
	}
}

// stall sends some chunks, is silent then, and returns what the receiver says to it.
func (p *pair) stall(address string, chunks []string) string {
	p.t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	text := "SSYNC /sda1/7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, chunk := range chunks {
		text += fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
	}
	if _, err := io.WriteString(c, text); err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "SSYNC"})
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		p.t.Errorf("%q: the answer came to its end", chunks)
	}
	return string(body)
}
