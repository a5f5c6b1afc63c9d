package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/server"
)

// The same bytes sent to Swift's receiver and to ours are answered with the same
// bytes, errors included, and leave the same on the disk.
func TestSaysAsSwift(t *testing.T) {
	p := newPair(t, nil, nil)
	// What is there already.
	p.same("fill", "/sda1/7", false, nil, begin, putReq("/a/c/data", "body", "X-Timestamp: "+at1), putReq("/a/c/posted", "body"),
		subreq("POST", "/a/c/posted", "X-Timestamp: "+at2, "X-Object-Meta-A: b", "Content-Type: t/x", "Content-Type-Timestamp: "+at1),
		subreq("DELETE", "/a/c/gone", "X-Timestamp: "+at1), end)
	data, posted, gone, none := hashOf("/a/c/data"), hashOf("/a/c/posted"), hashOf("/a/c/gone"), hashOf("/a/c/none")
	offers := func(lines ...string) []string {
		return append(append([]string{":MISSING_CHECK: START\r\n"}, lines...), ":MISSING_CHECK: END\r\n:UPDATES: START\r\n:UPDATES: END\r\n")
	}
	updates := func(parts ...string) []string { return append(append([]string{begin}, parts...), end) }
	for _, c := range []struct {
		what    string
		target  string // "" is /sda1/7
		headers []string
		chunks  []string
	}{
		{what: "nothing at all", chunks: nil},
		{what: "no objects", chunks: offers()},
		{what: "only the first half", chunks: []string{missing}},
		{what: "no end of the offers", chunks: []string{":MISSING_CHECK: START\r\n", none + " " + at0 + "\r\n"}},
		{what: "no end of the updates", chunks: []string{begin, putReq("/a/c/noend", "x")}},
		{what: "lines end in LF alone", chunks: []string{":MISSING_CHECK: START\n" + none + " " + at0 + "\n:MISSING_CHECK: END\n:UPDATES: START\n:UPDATES: END\n"}},
		{what: "lines in pieces", chunks: []string{":MISSING_", "CHECK: START\r", "\n", none[:10], none[10:] + " " + at0 + "\r\n:MISSING_CHECK: END\r\n:UPD", "ATES: START\r\n:UPDATES: END\r\n"}},
		{what: "wants", chunks: offers(
			none+" "+at0+"\r\n", data+" "+at0+"\r\n", data+" "+at1+"\r\n", data+" "+at2+"\r\n",
			data+" "+at1+" m:1\r\n", data+" "+at1+" m:-1\r\n", data+" "+at1+" m:1,t:1\r\n", data+" "+at2+" m:1\r\n",
			posted+" "+at0+"\r\n", posted+" "+at0+" m:186a0\r\n", posted+" "+at0+" m:30d40,t:186a0\r\n", posted+" "+at0+" m:30d40,t:186a1\r\n", posted+" "+at0+" m:30d41,t:0\r\n", posted+" "+at1+"\r\n",
			gone+" "+at0+"\r\n", gone+" "+at1+"\r\n", gone+" "+at1+" m:186a0\r\n", gone+" "+at2+"\r\n",
			data+" "+at1+"_0000000000000001\r\n", none+" "+at0+" x:1,y\r\n", none+"  "+at0+"  durable:no extra\r\n", "%"+fmt.Sprintf("%x", none[0])+none[1:]+" "+at0+"\r\n",
			data+" 1700000001\r\n",
		)},
		{what: "offers with durable", chunks: offers(data + " " + at2 + " durable:False\r\n")},
		{what: "not the start", chunks: []string{"GARBAGE\r\n"}},
		{what: "not the start, with quotes", chunks: []string{"it's \"odd\" \xff\r\n"}},
		{what: "not the start of updates", chunks: []string{missing, "it's me\r\n"}},
		{what: "blanks around", chunks: []string{"  :MISSING_CHECK: START  \r\n :MISSING_CHECK: END\r\n\t:UPDATES: START\r\n :UPDATES: END \r\n"}},
		{what: "unknown method", chunks: updates(subreq("GET", "/a/c/o"))},
		{what: "unknown method with a body", chunks: updates(subreq("COPY", "/a/c/o", "Content-Length: 3") + "abc")},
		{what: "no method", chunks: updates("garbage\r\n\r\n")},
		{what: "no headers", chunks: []string{begin, "PUT /a/c/o\r\n"}},
		{what: "header without colon", chunks: updates(subreq("PUT", "/a/c/o", "garbage"))},
		{what: "no length", chunks: updates(subreq("PUT", "/a/c/o", "X-Timestamp: "+at0))},
		{what: "bad length", chunks: updates(subreq("PUT", "/a/c/o", "Content-Length: x"))},
		{what: "DELETE with a length", chunks: updates(subreq("DELETE", "/a/c/o", "Content-Length: 1", "X-Timestamp: "+at0) + "x")},
		{what: "POST with a length", chunks: updates(subreq("POST", "/a/c/o", "Content-Length: 1", "X-Timestamp: "+at0) + "x")},
		{what: "DELETE with length 0", chunks: updates(subreq("DELETE", "/a/c/del0", "Content-Length: 0", "X-Timestamp: "+at0))},
		{what: "no timestamp", chunks: updates(subreq("PUT", "/a/c/o", "Content-Length: 1", "Content-Type: t/x") + "x")},
		{what: "bad timestamp", chunks: updates(subreq("DELETE", "/a/c/o", "X-Timestamp: x"))},
		{what: "no type", chunks: updates(subreq("PUT", "/a/c/o", "Content-Length: 1", "X-Timestamp: "+at0) + "x")},
		{what: "empty type", chunks: updates(subreq("PUT", "/a/c/o", "Content-Length: 1", "Content-Type:", "X-Timestamp: "+at0) + "x")},
		{what: "short path", chunks: updates(putReq("/a/c", "x"), putReq("/a//o", "x"), putReq("/a/c/", "x"), putReq("a/c/o", "x"))},
		{what: "path not UTF-8", chunks: updates(putReq("/a/c/%ff", "x"))},
		{what: "reserved names", chunks: updates(putReq("/a/c/%00o", "x"), putReq("/a/%00c/o", "x"), putReq("/a/c%00/o", "x"), putReq("/a/c/o%00", "x"), putReq("/a%00/c/o", "x"))},
		{what: "wrong etag", chunks: updates(subreq("PUT", "/a/c/o", "Content-Length: 1", "Content-Type: t/x", "ETag: abc", "X-Timestamp: "+at0) + "x")},
		{what: "older and same", chunks: updates(putReq("/a/c/data", "x"), putReq("/a/c/data", "x", "X-Timestamp: "+at1), putReq("/a/c/gone", "x"), putReq("/a/c/gone", "x", "X-Timestamp: "+at1))},
		{what: "older tombstones", chunks: updates(subreq("DELETE", "/a/c/data", "X-Timestamp: "+at0), subreq("DELETE", "/a/c/gone", "X-Timestamp: "+at0), subreq("DELETE", "/a/c/gone", "X-Timestamp: "+at1))},
		{what: "same tombstone as data", chunks: updates(subreq("DELETE", "/a/c/data", "X-Timestamp: "+at1))},
		{what: "older posts", chunks: updates(subreq("POST", "/a/c/posted", "X-Timestamp: "+at1), subreq("POST", "/a/c/posted", "X-Timestamp: "+at2, "Content-Type: t/y", "Content-Type-Timestamp: "+at1), subreq("POST", "/a/c/gone", "X-Timestamp: "+at2))},
		{what: "some fail", chunks: updates(putReq("/a/c/some1", "x"), putReq("/a/c/data", strings.Repeat("x", 200_000)), putReq("/a/c/some2", "x"))},
		{what: "post expiring in its past", chunks: updates(subreq("POST", "/a/c/posted", "X-Timestamp: "+at3, "X-Delete-At: 1"))},
		{what: "expiry that is no number", chunks: updates(putReq("/a/c/o", "x", "X-Delete-At: soon"))},
		{what: "too much metadata", chunks: updates(putReq("/a/c/o", "x", "X-Object-Meta-A: "+strings.Repeat("x", 257)), putReq("/a/c/o", "x", "X-Object-Meta-"+strings.Repeat("x", 129)+": a"),
			putReq("/a/c/o", "x", many(91, "X-Object-Meta-%d: 1")...), putReq("/a/c/o", "x", many(40, "X-Object-Meta-%d: "+strings.Repeat("x", 200))...), putReq("/a/c/o", "x", "X-Odd: "+strings.Repeat("x", 8193)))},
		{what: "just enough metadata", chunks: updates(putReq("/a/c/enough", "x", many(90, "X-Object-Meta-%d: 1")...))},
		{what: "name too long", chunks: updates(putReq("/a/c/"+strings.Repeat("x", 1025), "x"))},
		{what: "name just not too long", chunks: updates(putReq("/a/c/"+strings.Repeat("x", 1024), "x"))},
		{what: "too large", chunks: []string{begin, subreq("PUT", "/a/c/o", "Content-Length: 5368709123", "Content-Type: t/x", "X-Timestamp: "+at0)}},
		{what: "no such device", target: "/sdz9/7", chunks: offers()},
		{what: "dots", target: "/../7", chunks: offers()},
		{what: "dots quoted", target: "/sda1/%2e%2e", chunks: offers()},
		{what: "too many segments", target: "/sda1/7/abc", chunks: offers()},
		{what: "slash at the end", target: "/sda1/7/", chunks: offers()},
		{what: "unknown policy", headers: []string{"X-Backend-Storage-Policy-Index: 9"}, chunks: offers()},
		{what: "other policy", target: "/sda1/8", headers: []string{"X-Backend-Storage-Policy-Index: 1"}, chunks: updates(putReq("/a/c/silver", "x"))},
		{what: "index of a fragment", headers: []string{"X-Backend-Ssync-Frag-Index: x"}, chunks: offers()},
		{what: "index of a fragment, a number", headers: []string{"X-Backend-Ssync-Frag-Index: 1"}, chunks: offers()},
		{what: "not UTF-8", target: "/sda1/%ff", chunks: offers()},
	} {
		target := c.target
		if target == "" {
			target = "/sda1/7"
		}
		p.same(c.what, target, false, c.headers, c.chunks...)
		p.sameDisk(c.what)
	}
}

func many(n int, form string) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(form, i))
	}
	return all
}

// Too many failures end a session at once, by number and by ratio.
func TestFailureLimitsAsSwift(t *testing.T) {
	p := newPair(t, []string{"replication_failure_threshold = 3", "replication_failure_ratio = 1.5"}, func(c *server.Config) {
		c.Ssync.FailureThreshold, c.Ssync.FailureRatio = 3, 1.5
	})
	bad, good := subreq("DELETE", "/a/c/bad", "X-Timestamp: x"), subreq("DELETE", "/a/c/good", "X-Timestamp: "+at0)
	for _, form := range []string{"bb", "bbb", "gbbb", "ggbbb", "ggbbbb", "bbgbb", "g", "gbgbgbgbgbb"} {
		var chunks []string
		for _, c := range form {
			chunks = append(chunks, map[rune]string{'b': bad, 'g': good}[c])
		}
		p.same(form, "/sda1/7", false, nil, append(append([]string{begin}, chunks...), end)...)
	}
}

// A peer that is silent is told so, and what it has begun to send is not there.
func TestTimeoutsAsSwift(t *testing.T) {
	p := newPair(t, []string{"client_timeout = 1"}, func(c *server.Config) { c.Ssync.ClientTimeout = time.Second })
	for what, chunks := range map[string][]string{
		"missing_check start": {},
		"missing_check line":  {":MISSING_CHECK: START\r\n"},
		"updates start":       {missing},
		"updates line":        {begin},
		"a header":            {begin + "PUT /a/c/o\r\n"},
	} {
		want, got := p.stall(p.theirs, chunks), p.stall(p.ours, chunks)
		if want != got {
			t.Errorf("%s: got %q, Swift says %q", what, got, want)
		}
	}
	// Newer Swift names the object.
	half := begin + subreq("PUT", "/a/c/half", "Content-Length: 9", "Content-Type: t/x", "X-Timestamp: "+at0) + "half"
	if got := p.stall(p.ours, []string{half}); !strings.HasSuffix(got, ":ERROR: 408 '1.0 second: PUT /a/c/half'\n") {
		t.Errorf("in a body: %q", got)
	}
	if found, _ := filepath.Glob(filepath.Join(p.ourRoot, "sda1/objects/7/???")); len(found) > 0 {
		t.Errorf("half an object has left %v", found)
	}
}

// A lock that another holds is waited for, and then told in Swift's words.
func TestLocksAsSwift(t *testing.T) {
	p := newPair(t, []string{"replication_lock_timeout = 1"}, func(c *server.Config) { c.Ssync.LockTimeout = time.Second })
	lock := func(root, path string) func() {
		path = filepath.Join(root, "sda1", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
		if err == nil {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() { f.Close() }
	}
	for _, path := range []string{"objects/7/.lock-replication", ".lock"} {
		var answers []string
		for root, address := range map[string]string{p.theirRoot: p.theirs, p.ourRoot: p.ours} {
			unlock := lock(root, path)
			s := tell(t, address, "/sda1/7", false, nil, begin+end)
			unlock()
			text := strings.ReplaceAll(s.body, root, "ROOT")
			if path == ".lock" { // what is left of the second depends on the machine
				before, after, _ := strings.Cut(text, "'")
				_, after, _ = strings.Cut(after, ":")
				text = before + after
			}
			answers = append(answers, text)
		}
		if answers[0] != answers[1] || !strings.Contains(answers[0], path) {
			t.Errorf("%s: %q", path, answers)
		}
	}
	if s := p.same("free again", "/sda1/7", false, nil, begin+end); !s.whole {
		t.Errorf("%+v", s)
	}
}
