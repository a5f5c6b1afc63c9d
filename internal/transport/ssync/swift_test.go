package ssync

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/swift/metadata"
	"understudy/messages"
)

const (
	t0 = "1700000000.00000"
	t1 = "1700000001.00000"
	t2 = "1700000002.00000"
	t3 = "1700000003.00000"
)

// proxy stands before a server and keeps what is sent through it.
type proxy struct {
	net.Listener
	sent chan []byte // one for each connection that has ended
}

func startProxy(t *testing.T, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, sent: make(chan []byte, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				client.Close()
				continue
			}
			go p.carry(client, server)
		}
	}()
	return p
}

func (p *proxy) carry(client, server net.Conn) {
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	var sent bytes.Buffer
	_, _ = io.Copy(io.MultiWriter(server, &sent), client)
	server.Close()
	p.sent <- sent.Bytes()
}

func (p *proxy) port() int { return p.Addr().(*net.TCPAddr).Port }

// last is the one request that was sent through it: its head as it was,
// and its body without the chunks.
func (p *proxy) last(t *testing.T) (head, body string) {
	t.Helper()
	var raw []byte
	select {
	case raw = <-p.sent:
	case <-time.After(patience):
		t.Fatal("no connection has ended")
	}
	at := bytes.Index(raw, []byte("\r\n\r\n"))
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatalf("the chunks do not end well: %v", err)
	}
	return string(raw[:at+4]), string(text)
}

// swiftSends runs Swift's own Sender.
func swiftSends(t *testing.T, r *rig, port int, part uint32, suffixes, check []string) (ok bool, deletable, log []string) {
	t.Helper()
	in, err := json.Marshal(map[string]any{
		"root": r.here.root, "device": "sda", "part": fmt.Sprint(part), "port": port, "target": "sdb", "suffixes": suffixes, "check": check,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/swift_sender.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Swift is needed for this test: %v", err)
	}
	var answer struct {
		OK             bool
		Deletable, Log []string
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.OK, answer.Deletable, answer.Log
}

// tree is one object of each kind, in partition 7.
func (r *rig) tree() {
	here := r.here
	here.data(7, "/a/c/plain", t0, "body", "X-Object-Meta-Color", "blue", "X-Object-Sysmeta-A", "b")
	here.data(7, "/a/c/empty", t0, "")
	here.data(7, "/a/c/a name: 50% \u2603/with?odd&things", t0, "odd")
	here.data(7, "/a/c/edge", t0, strings.Repeat("e", 65536))
	here.data(7, "/a/c/large", t0, strings.Repeat("0123456789abcdef", 200_000)) // some chunks of ours
	here.data(7, "/a/c/expired", t0, "gone", "X-Delete-At", "1600000000")
	here.data(7, "/a/c/offset", t0+"_0000000000000003", "offset")
	here.tombstone(7, "/a/c/deleted", t1)
	here.tombstone(7, "/a/c/deleted with offset", t1+"_000000000000000a")
	here.data(7, "/a/c/posted", t0, "posted")
	here.post(7, "/a/c/posted", t1+".meta", t1, "X-Object-Meta-Color", "red")
	here.data(7, "/a/c/typed", t0, "typed")
	here.post(7, "/a/c/typed", t1+"+0.meta", t1, "X-Object-Meta-Color", "green", "Content-Type", "text/x", "Content-Type-Timestamp", t1)
	here.data(7, "/a/c/two metas", t0, "two")
	here.post(7, "/a/c/two metas", t1+"+0.meta", t1, "X-Object-Meta-Color", "old", "Content-Type", "text/x", "Content-Type-Timestamp", t1)
	here.post(7, "/a/c/two metas", t2+".meta", t2, "X-Object-Meta-Color", "new")
	here.post(7, "/a/c/meta alone", t2+".meta", t2, "X-Object-Meta-Color", "lost")
}

// What our sender writes is what Swift's own sender writes for the same tree: the
// request's head, every offer and every subrequest, to the byte. First to an empty
// node, then to one that has all, then to one that has older parts, then only to
// check what is there.
func TestSameBytesAsSwift(t *testing.T) {
	r := newRig(t)
	r.tree()
	p := startProxy(t, r.server.port)
	suffixes := r.here.suffixes(7)
	job := r.job(7, suffixes...)
	job.Node.ReplicationPort = p.port()
	prepare := map[string]func(){
		"empty": r.server.empty,
		"full":  func() {},
		"older": func() {
			r.server.empty()
			r.there.data(7, "/a/c/plain", "1600000000.00000", "older")
			r.there.data(7, "/a/c/posted", t0, "posted")
			r.there.data(7, "/a/c/two metas", t0, "two")
			r.there.post(7, "/a/c/two metas", t2+".meta", t2, "X-Object-Meta-Color", "new")
			r.there.data(7, "/a/c/deleted", t0, "alive")
			r.there.tombstone(7, "/a/c/typed", t3)
		},
		"check": func() {},
	}
	for _, state := range []string{"empty", "full", "older", "check"} {
		var check []string
		if state == "check" {
			for _, dir := range []string{
				r.here.data(7, "/a/c/plain", t0, "body", "X-Object-Meta-Color", "blue", "X-Object-Sysmeta-A", "b"),
				r.here.data(7, "/a/c/new one", t0, "new"), r.here.tombstone(7, "/a/c/deleted", t1),
			} {
				check = append(check, filepath.Base(dir))
			}
			suffixes = r.here.suffixes(7)
			job.Suffixes, job.CheckOnly, job.Handoff = suffixes, check, true
		}
		prepare[state]()
		ok, deletable, log := swiftSends(t, r, p.port(), 7, suffixes, check)
		if !ok {
			t.Fatalf("%s: Swift's sender failed: %q\n%s", state, log, r.server.output())
		}
		wantHead, want := p.last(t)
		theirs := r.there.Files(7)
		prepare[state]()
		res := r.sync(job)
		if !res.OK {
			t.Fatalf("%s: the sync was no success:\n%s\n%s", state, r.log, r.server.output())
		}
		head, got := p.last(t)
		if head != wantHead {
			t.Errorf("%s: head is\n%q, Swift's is\n%q", state, head, wantHead)
		}
		if got != want {
			t.Errorf("%s: the body differs from Swift's: %s", state, firstDifference(got, want))
		}
		if len(want) < 100 {
			t.Errorf("%s: Swift sent only %q", state, want)
		}
		ours := r.there.Files(7)
		for path, f := range theirs {
			if ours[path] != f {
				t.Errorf("%s: target's %s is %.200q, after Swift's sync %.200q", state, path, ours[path], f)
			}
		}
		if len(ours) != len(theirs) {
			t.Errorf("%s: the target holds %d files, after Swift's sync %d", state, len(ours), len(theirs))
		}
		if state == "check" {
			var proven []string
			for hash := range res.Proven {
				proven = append(proven, hash)
			}
			slices.Sort(proven)
			if !slices.Equal(proven, deletable) || len(proven) != 2 {
				t.Errorf("proven %v, Swift says %v", proven, deletable)
			}
		}
		// Swift's last line of a good sync, word for word.
		line := log[len(log)-1]
		if !r.log.has("debug", line) {
			t.Errorf("%s: Swift logs %q, we log\n%s", state, line, r.log)
		}
	}
}

func firstDifference(a, b string) string {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	cut := func(s string) string { return s[max(0, at-80):min(len(s), at+80)] }
	return fmt.Sprintf("at %d of %d and %d: %q, not %q", at, len(a), len(b), cut(a), cut(b))
}

// TestTempFileBesideObjectLosesNothing: an rsync temporary file in an object's
// directory is the last name of some listings. Swift's sender takes it for the
// object, cannot read it, sends nothing and still tells the replicator to delete the
// object: a handoff's copy is lost. Ours sends the object.
func TestTempFileBesideObjectLosesNothing(t *testing.T) {
	r := newRig(t)
	dir := r.here.data(7, "/a/c/o", t0, "body")
	mustWrite(t, filepath.Join(r.here.dir(7), dir, "."+t0+".data.Ab3_9z"), "half a bo")
	hash := filepath.Base(dir)

	ok, deletable, log := swiftSends(t, r, r.server.port, 7, r.here.suffixes(7), nil)
	if !ok || !slices.Equal(deletable, []string{hash}) || len(r.there.Files(7)) != 0 {
		t.Fatalf("Swift no longer loses it: %v %v %q, the target holds %v", ok, deletable, log, r.there.Files(7))
	}
	proven := r.mustSync(r.revert(7))
	if files := r.there.Files(7); files[dir+"/"+t0+".data"].Data != "body" || len(files) != 1 {
		t.Errorf("the target holds %v", files)
	}
	if !slices.Equal(proven[hash], []string{t0 + ".data"}) || len(proven) != 1 {
		t.Errorf("proven: %v", proven)
	}
}

// Header values that are no ASCII, as both Pythons store them, arrive as the same
// bytes. Swift 2.30's own sender mangles them.
func TestHeaderBytes(t *testing.T) {
	r := newRig(t)
	const color, mixed = "caf\xc3\xa9 \xe2\x98\x83", "\xe9\xff raw"
	r.here.data(7, "/a/c/\u2603", t0, "three", "X-Object-Meta-Color", color)
	r.here.post(7, "/a/c/\u2603", t1+"+0.meta", t1, "X-Object-Meta-Color", mixed, "Content-Type", "text/\xc3\xbc", "Content-Type-Timestamp", t1)
	dir := r.here.data(7, "/a/c/two \u2603", t0, "two")
	py2 := filepath.Join(r.here.dir(7), dir, t0+".data")
	repickle(t, py2, "X-Object-Meta-Color", color)

	r.mustSync(r.job(7, r.here.suffixes(7)...))
	for _, c := range []struct{ name, file, header, want string }{
		{"/a/c/\u2603", t0 + ".data", "X-Object-Meta-Color", color},
		{"/a/c/\u2603", t1 + "+0.meta", "X-Object-Meta-Color", mixed},
		{"/a/c/\u2603", t1 + "+0.meta", "Content-Type", "text/\xc3\xbc"},
		{"/a/c/two \u2603", t0 + ".data", "X-Object-Meta-Color", color},
	} {
		p := strings.SplitN(c.name, "/", 4)
		hash := paths.Hex(p[1], p[2], p[3])
		m, err := metadata.ReadPath(filepath.Join(r.there.dir(7), hash[29:], hash, c.file))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, _ := m.Get(c.header); got != c.want {
			t.Errorf("%s of %s/%s is %q, want %q", c.header, c.name, c.file, got, c.want)
		}
		if got, _ := m.Get("name"); got != c.name {
			t.Errorf("name is %q, want %q", got, c.name)
		}
	}
}

// A receiver of Swift 2.30 cannot read offers with the offsets of metadata and gives
// the whole session up. Then they are offered as its own sender would.
func TestOffsetsForOldReceivers(t *testing.T) {
	r := newRig(t)
	const offset = "_0000000000000002"
	both := r.here.data(7, "/a/c/both", t0, "body")
	r.here.post(7, "/a/c/both", t1+offset+".meta", t1+offset, "X-Object-Meta-Color", "red")
	near := r.here.data(7, "/a/c/near", t0, "body")
	r.here.post(7, "/a/c/near", t0+offset+".meta", t0+offset, "X-Object-Meta-Color", "red")
	r.there.data(7, "/a/c/near", t0, "body")
	plain := r.here.data(7, "/a/c/plain", t0, "body")

	proven := r.mustSync(r.revert(7))
	files := r.there.Files(7)
	for _, path := range []string{both + "/" + t0 + ".data", both + "/" + t1 + offset + ".meta", plain + "/" + t0 + ".data"} {
		if _, ok := files[path]; !ok {
			t.Errorf("the target lacks %s, holds %v", path, names(t, r.there.dir(7)))
		}
	}
	want := messages.Files{
		filepath.Base(both):  {t0 + ".data", t1 + offset + ".meta"},
		filepath.Base(near):  {t0 + ".data"}, // it could not be told of the metadata
		filepath.Base(plain): {t0 + ".data"},
	}
	if fmt.Sprint(proven) != fmt.Sprint(want) {
		t.Errorf("proven %v, want %v", proven, want)
	}
	// The next time the metadata is there, as far as can be told.
	if proven := r.mustSync(r.revert(7)); !slices.Equal(proven[filepath.Base(both)], []string{t0 + ".data"}) {
		t.Errorf("proven %v", proven)
	}
	if !r.log.has("debug", "peer reads no timestamp offsets") {
		t.Errorf("log:\n%s", r.log)
	}
}

// repickle writes a file's metadata as Python 2 did, with one header more.
func repickle(t *testing.T, path, name, value string) {
	t.Helper()
	const script = `
import hashlib, os, sys
sys.path.insert(0, '/usr/lib/python3/dist-packages')
from swift.obj import diskfile
path, name, value = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]), os.fsencode(sys.argv[3])
meta = {k.encode(): v.encode('utf8') for k, v in diskfile.read_metadata(path).items()}
meta[name] = value
out = b'\x80\x02}q\x00('
for pair in meta.items():
    for item in pair:
        out += b'U' + bytes([len(item)]) + item
out += b'u.'
os.setxattr(path, 'user.swift.metadata', out)
os.setxattr(path, 'user.swift.metadata_checksum', hashlib.md5(out).hexdigest().encode())
`
	if out, err := exec.CommandContext(context.Background(), "/usr/bin/python3", "-c", script, path, name, value).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
