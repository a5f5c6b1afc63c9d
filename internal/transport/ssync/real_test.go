package ssync

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	wire "understudy/internal/swift/ssync"
	"understudy/internal/transport/conformance"
	"understudy/messages"
)

// same checks that the target holds each of the source's files, bytes and metadata,
// but for some directories.
func (r *rig) same(except ...string) {
	r.t.Helper()
	here, there := r.here.Files(7), r.there.Files(7)
	for path, f := range here {
		if slices.ContainsFunc(except, func(dir string) bool { return strings.HasPrefix(path, dir) }) {
			continue
		}
		if there[path] != f {
			r.t.Errorf("target's %s is %.100q, want %.100q", path, there[path], f)
		}
	}
}

// A revert of one object of each kind proves every file of each, and of nothing else:
// metadata without data is nobody's object.
func TestRevertProves(t *testing.T) {
	r := newRig(t)
	r.tree()
	lone := r.here.post(7, "/a/c/meta alone", t2+".meta", t2, "X-Object-Meta-Color", "lost")
	want := messages.Files{}
	for path := range r.here.Files(7) {
		if hash := filepath.Base(filepath.Dir(path)); !strings.HasPrefix(path, lone) {
			want[hash] = append(want[hash], filepath.Base(path))
		}
	}
	check := func(what string, got messages.Files) {
		t.Helper()
		for _, files := range []messages.Files{got, want} {
			for _, names := range files {
				slices.Sort(names)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: proven\n%v, want\n%v", what, got, want)
		}
	}
	check("all wanted", r.mustSync(r.revert(7)))
	two := filepath.Dir(r.here.data(7, "/a/c/two metas", t0, "two")) + "/"
	r.same(lone, two)
	// The receiver merges two metas into one.
	if !slices.Contains(names(t, filepath.Join(r.there.dir(7), two)), filepath.Base(r.here.data(7, "/a/c/two metas", t0, "two"))+"/"+t2+"-186a0.meta") {
		t.Errorf("two metas arrived as %v", names(t, filepath.Join(r.there.dir(7), two)))
	}
	check("none wanted", r.mustSync(r.revert(7)))

	job := r.revert(7)
	job.CheckOnly = []string{}
	for hash := range want {
		job.CheckOnly = append(job.CheckOnly, hash)
	}
	check("checked", r.mustSync(job))

	// What was not held when the revert began is not proven.
	held := messages.Files{}
	for hash, files := range want {
		if len(held) < 5 {
			held[hash] = append([]string{"other.data"}, files[0])
		}
	}
	job = r.revert(7)
	job.Held = held
	for hash := range want {
		if files, ok := held[hash]; ok {
			want[hash] = files[1:]
		} else {
			delete(want, hash)
		}
	}
	check("held", r.mustSync(job))

	// An update job proves nothing.
	if proven := r.mustSync(r.job(7, r.here.suffixes(7)...)); proven != nil {
		t.Errorf("an update proves %v", proven)
	}
}

func TestCheckOnly(t *testing.T) {
	r := newRig(t)
	there := filepath.Base(r.here.data(7, "/a/c/there", t0, "body"))
	r.there.data(7, "/a/c/there", t0, "body")
	older := filepath.Base(r.here.data(7, "/a/c/older", t1, "body"))
	r.there.data(7, "/a/c/older", t0, "older")
	r.here.data(7, "/a/c/unasked", t0, "body")
	missing := filepath.Base(r.here.data(7, "/a/c/missing", t0, "body"))
	before := r.there.Files(7)

	job := r.revert(7)
	job.CheckOnly = []string{there, older, missing, strings.Repeat("0", 32)}
	if proven := r.mustSync(job); len(proven) != 1 || !slices.Equal(proven[there], []string{t0 + ".data"}) {
		t.Errorf("proven %v", proven)
	}
	job.CheckOnly = []string{}
	if proven := r.mustSync(job); len(proven) != 0 {
		t.Errorf("nothing asked, proven %v", proven)
	}
	if after := r.there.Files(7); !reflect.DeepEqual(before, after) {
		t.Errorf("a check has changed the target: %v", after)
	}
}

func TestManyObjects(t *testing.T) {
	r := newRig(t)
	const n = 1000
	for i := range n {
		name := fmt.Sprintf("/a/c/o%d", i)
		switch i % 10 {
		case 0:
			r.here.tombstone(7, name, t0)
		case 1:
			r.here.data(7, name, t0, name)
			r.here.post(7, name, t1+".meta", t1, "X-Object-Meta-I", fmt.Sprint(i))
		default:
			r.here.data(7, name, t0, strings.Repeat(name, i%300))
		}
	}
	if proven := r.mustSync(r.revert(7)); len(proven) != n {
		t.Errorf("%d objects proven", len(proven))
	}
	r.same()
}

// What comes between the offer and the sending of an object.
func TestTroubleWhileSending(t *testing.T) {
	r := newRig(t)
	part := uint32(100)
	big := strings.Repeat("0123456789abcdef", 20_000)
	for _, c := range []struct {
		what    string
		body    string
		trouble func(path string, open func() (*wire.Object, error)) (*wire.Object, error)
		update  bool   // what an update job says
		logged  string // level error
		moved   bool   // to the quarantine
		session bool   // ends the session, so that others are not sent either
		whole   bool   // the receiver may have got it before the session ended
	}{
		{what: "vanished", body: "body", update: true, trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				return nil, err
			}
			return open()
		}},
		{what: "corrupt metadata", body: "body", update: true, moved: true, trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			if err := unix.Setxattr(path, "user.swift.metadata_checksum", []byte(strings.Repeat("0", 32)), 0); err != nil {
				return nil, err
			}
			return open()
		}},
		{what: "cut before it is opened", body: big, update: true, moved: true, trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			if err := os.Truncate(path, 100); err != nil {
				return nil, err
			}
			return open()
		}},
		{what: "small, cut after it was opened", body: "body", update: true, moved: true, trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			o, err := open()
			return o, errors.Join(err, os.Truncate(path, 2))
		}},
		{what: "small, flipped", body: "body", update: true, moved: true, trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			flip(t, path)
			return open()
		}},
		{what: "large, cut after it was opened", body: big, moved: true, session: true, logged: "Sent data length does not match content-length", trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			o, err := open()
			return o, errors.Join(err, os.Truncate(path, 100_000))
		}},
		{what: "large, grown after it was opened", body: big, moved: true, session: true, whole: true, logged: "Sent data length does not match content-length", trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			o, err := open()
			return o, errors.Join(err, os.Truncate(path, int64(len(big))+1))
		}},
		{what: "large, flipped", body: big, moved: true, session: true, logged: `Unexpected response: ":ERROR: 500 b'ERROR: With :UPDATES: 1 failures to 1 successes'"`, trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			flip(t, path)
			return open()
		}},
		{what: "EIO", body: "body", logged: "wanted object not sent", trouble: func(string, func() (*wire.Object, error)) (*wire.Object, error) {
			return nil, fmt.Errorf("read: %w", unix.EIO)
		}},
		{what: "EIO in a small body", body: "body", logged: "wanted object not sent", trouble: ill},
		{what: "EIO in a large body", body: big, session: true, logged: "EXCEPTION in ssync.Sender: read ", trouble: ill},
		{what: "a header that breaks the line", body: "body", logged: "wanted object not sent", trouble: func(path string, open func() (*wire.Object, error)) (*wire.Object, error) {
			o, err := open()
			if err == nil {
				o.DataMeta[len(o.DataMeta)-1].Value = "x\r\nX-Evil: y"
			}
			return o, err
		}},
	} {
		for _, handoff := range []bool{false, true} {
			part++ // a server may still be busy with the last one
			t.Run(fmt.Sprintf("%s/handoff %v", c.what, handoff), func(t *testing.T) {
				r.t, r.log.events, r.here.t, r.there.t = t, nil, t, t
				if err := os.RemoveAll(filepath.Join(r.here.root, "sda", "quarantined")); err != nil {
					t.Fatal(err)
				}
				good := r.here.data(part, "/a/c/good", t0, "body")
				bad := r.here.data(part, "/a/c/bad", t0, c.body)
				path := filepath.Join(r.here.dir(part), bad, t0+".data")
				r.objects = func(o Objects) Objects {
					return between{o, func(hash string, open func() (*wire.Object, error)) (*wire.Object, error) {
						if hash == filepath.Base(bad) {
							return c.trouble(path, open)
						}
						return open()
					}}
				}
				job := r.revert(part)
				job.Handoff = handoff
				res := r.sync(job)
				if res.OK != (c.update && !handoff) {
					t.Errorf("the sync returned %+v", res)
				}
				files := r.there.Files(part)
				if _, ok := files[bad+"/"+t0+".data"]; ok && !c.whole {
					t.Error("the target has got the object")
				}
				if _, ok := files[good+"/"+t0+".data"]; !ok && !c.session {
					t.Error("the target lacks the other object")
				}
				if _, ok := res.Proven[filepath.Base(bad)]; ok || handoff && !c.session != (len(res.Proven) == 1) {
					t.Errorf("proven %v", res.Proven)
				}
				if c.logged != "" && !strings.Contains(r.log.String(), c.logged) {
					t.Errorf("log:\n%s", r.log)
				}
				_, err := os.Stat(filepath.Join(r.here.root, "sda", "quarantined", "objects", filepath.Base(bad)))
				if (err == nil) != c.moved {
					t.Errorf("quarantined: %v\n%s", err, r.log)
				}
			})
		}
	}
}

// ill opens an object whose body cannot be read.
func ill(_ string, open func() (*wire.Object, error)) (*wire.Object, error) {
	o, err := open()
	if err == nil {
		o.Body = illBody{o.Body}
	}
	return o, err
}

type illBody struct{ wire.Body }

func (illBody) ReadAt([]byte, int64) (int, error) { return 0, unix.EIO }
func (illBody) Descriptor() (int, bool)           { return 0, false }

func flip(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("!"), 1); err != nil {
		t.Fatal(err)
	}
}

// A newer version that came after the offer is sent, but proves nothing about what
// was offered.
func TestNewerVersionAfterOffer(t *testing.T) {
	r := newRig(t)
	dir := r.here.data(7, "/a/c/o", t0, "older")
	r.objects = func(o Objects) Objects {
		return between{o, func(_ string, open func() (*wire.Object, error)) (*wire.Object, error) {
			r.here.data(7, "/a/c/o", t1, "newer")
			return open()
		}}
	}
	if proven := r.mustSync(r.revert(7)); len(proven) != 0 {
		t.Errorf("proven %v", proven)
	}
	if files := r.there.Files(7); files[dir+"/"+t1+".data"].Data != "newer" || len(files) != 1 {
		t.Errorf("the target holds %v", files)
	}
}

// What a real receiver says when it cannot take part.
func TestRefusals(t *testing.T) {
	r := newRig(t, "replication_lock_timeout = 1")
	r.here.data(7, "/a/c/o", t0, "body")
	last := func() string {
		t.Helper()
		lines := r.log.swift()
		if len(lines) == 0 {
			t.Fatalf("no line of Swift's in the log:\n%s", r.log)
		}
		return lines[len(lines)-1]
	}
	node := fmt.Sprintf("127.0.0.1:%d/sdb/7 ", r.server.port)

	lock := filepath.Join(r.there.dir(7), ".lock-replication")
	mustWrite(t, lock, "")
	f, err := os.Open(lock)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	if res := r.sync(r.revert(7)); res.OK || res.Proven != nil || res.Silence != messages.Answered {
		t.Errorf("locked: %+v", res)
	}
	if line := last(); !strings.HasPrefix(line, node+`Unexpected response: ":ERROR: 0 '`) || !strings.Contains(line, "1.0 second: ") && !strings.Contains(line, "1 second: ") {
		t.Errorf("locked: %q", line)
	}
	f.Close()

	r.server.unmount()
	if res := r.sync(r.revert(7)); res.OK || res.Silence != messages.Answered {
		t.Errorf("unmounted: %+v", res)
	}
	if line := last(); !strings.HasPrefix(line, node+"Expected status 200; got 507 (b'<html><h1>Insufficient Storage</h1>") {
		t.Errorf("unmounted: %q", line)
	}

	job := r.revert(7)
	job.Node.ReplicationPort = freePort(t)
	if res := r.sync(job); res.OK {
		t.Error("refused: a success")
	}
	if line := last(); line != fmt.Sprintf("127.0.0.1:%d/sdb/7 EXCEPTION in ssync.Sender: Connection refused", job.Node.ReplicationPort) {
		t.Errorf("refused: %q", line)
	}
	job.Node.Device = "s db"
	if res := r.sync(job); res.OK || !strings.Contains(last(), `"s db" is no name`) {
		t.Errorf("odd device: %+v %q", res, last())
	}
}

// A local device that cannot be used is a failure with a line of its own, and an
// empty job a success, as in Swift.
func TestLocalDevice(t *testing.T) {
	r := newRig(t)
	o := conformance.Objects(7, 1)[0]
	job := r.job(7, o.Suffix)
	job.Partition.Device = "sdz"
	if res := r.sync(job); res.OK || !strings.Contains(r.log.String(), "sdz is not a directory") {
		t.Errorf("%+v\n%s", res, r.log)
	}
	if res := r.sync(r.job(7)); !res.OK || res.Proven != nil {
		t.Errorf("no suffixes: %+v", res)
	}
}

// A suffix without objects is not looked into by a revert job, which would note it
// in hashes.invalid and so keep the handoff for ever.
func TestRevertLeavesEmptySuffixAlone(t *testing.T) {
	r := newRig(t)
	path := r.here.data(7, "/a/c/o", t0, "body")
	mustMkdir(t, filepath.Join(r.here.dir(7), "fff"))
	job := r.revert(7)
	job.Held = messages.Files{filepath.Base(path): {t0 + ".data"}}
	if got := r.mustSync(job); !reflect.DeepEqual(got, job.Held) {
		t.Errorf("proven %v", got)
	}
	if _, err := os.Stat(filepath.Join(r.here.dir(7), "hashes.invalid")); !os.IsNotExist(err) {
		t.Errorf("hashes.invalid: %v", err)
	}
}
