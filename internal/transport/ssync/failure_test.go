package ssync

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

const node = "10.0.0.1:6200/sdb/7 "

// What is logged for every way in which a receiver can fail, in Swift's words.
func TestReceiverFailures(t *testing.T) {
	broken := []string{ // the connection, not only the answer
		"hangs up", "ends at once", "cut chunk", "wants without end", "updates unanswered", "hangs up while it is sent to",
	}
	wantAll := func(r *receiver) { r.wants(fakeHash(1)+" d", fakeHash(2)+" m") }
	for what, c := range map[string]struct {
		script func(*receiver)
		want   string
		verify bool
	}{
		"507":      {func(r *receiver) { r.head(); r.say("HTTP/1.1 507 x\r\nContent-Length: 4\r\n\r\nf'ul") }, `Expected status 200; got 507 (b"f'ul")`, false},
		"503 long": {func(r *receiver) { r.head(); r.say("HTTP/1.1 503 x\r\n\r\n" + strings.Repeat("x", 2000)) }, "Expected status 200; got 503 (b'" + strings.Repeat("x", 1024) + "')", false},
		"400 chunked": {func(r *receiver) {
			r.head()
			r.say("HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n")
		}, "Expected status 200; got 400 (b'bad')", false},
		"no http":        {func(r *receiver) { r.head(); r.say("220 mail.example.org ESMTP\r\n\r\n") }, `EXCEPTION in ssync.Sender: read response: malformed HTTP`, false},
		"hangs up":       {func(r *receiver) { r.head() }, "EXCEPTION in ssync.Sender: read response: unexpected EOF", false},
		"endless head":   {func(r *receiver) { r.head(); r.say("HTTP/1.1 200 OK\r\n" + strings.Repeat("a: b\r\n", 20000)) }, "EXCEPTION in ssync.Sender: read response: ", false},
		"no chunks":      {func(r *receiver) { r.head(); r.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n") }, "Early disconnect", false},
		"ends at once":   {func(r *receiver) { r.ok(); r.until(wire.MissingEnd) }, "Early disconnect", false},
		"last chunk":     {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.say("0\r\n\r\n") }, "Early disconnect", false},
		"bad chunk":      {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.say("xyz\r\n") }, "Early disconnect", false},
		"negative chunk": {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.say("-5\r\nhello\r\n") }, "Early disconnect", false},
		"huge chunk":     {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.say("fffffffffffffffff\r\n") }, "Early disconnect", false},
		"cut chunk":      {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.say("20\r\n:MISSING_CHECK: ST") }, "Early disconnect", false},
		"chunk too long": {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.say("2\r\n\r\nxx") }, "Early disconnect", false},
		"long line":      {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.chunk(strings.Repeat("y", 5000)) }, "Unexpected response: '" + strings.Repeat("y", 1024) + "'", false},
		"blank lines":    {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.chunk(strings.Repeat("\r\n", 5000)) }, "Unexpected response: too many blank lines", false},
		"semaphore":      {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.chunk(":ERROR: 503 b'<html>'\n") }, `Unexpected response: ":ERROR: 503 b'<html>'"`, false},
		"lock":           {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.chunk(":ERROR: 0 '15 seconds: /x'\n") }, `Unexpected response: ":ERROR: 0 '15 seconds: /x'"`, false},
		"no ASCII":       {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.chunk("caf\xc3\xa9\r\n") }, `Unexpected response: b'caf\xc3\xa9'`, false},
		"wrong marker":   {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.chunk(":UPDATES: START\r\n") }, "Unexpected response: ':UPDATES: START'", false},
		"error as want":  {func(r *receiver) { r.wants(":ERROR: 408 '60 seconds: missing_check line'") }, `Unexpected response: ":ERROR: 408 '60 seconds: missing_check line'"`, false},
		"not offered":    {func(r *receiver) { r.wants(fakeHash(9) + " dm") }, "Unexpected response: '" + fakeHash(9) + " dm'", false},
		"no hash":        {func(r *receiver) { r.wants("../../etc dm") }, "Unexpected response: '../../etc dm'", false},
		"want no ASCII":  {func(r *receiver) { r.wants("\xff dm") }, `Unexpected response: b'\xff dm'`, false},
		"wants without end": {func(r *receiver) {
			r.ok()
			r.until(wire.MissingEnd)
			r.chunk(wire.MissingStart + "\r\n" + fakeHash(1) + " d\r\n")
		}, "Early disconnect", false},
		"blank wants": {func(r *receiver) {
			r.ok()
			r.until(wire.MissingEnd)
			r.chunk(wire.MissingStart + "\r\n" + strings.Repeat("\r\n", 5000))
		}, "Unexpected response: too many blank lines", false},
		"failures": {func(r *receiver) {
			wantAll(r)
			r.until(wire.UpdatesEnd)
			r.chunk(":ERROR: 500 b'ERROR: With :UPDATES: 2 failures to 0 successes'\n")
		}, `Unexpected response: ":ERROR: 500 b'ERROR: With :UPDATES: 2 failures to 0 successes'"`, true},
		"too many failures": {func(r *receiver) {
			wantAll(r)
			r.until(wire.UpdatesEnd)
			r.chunk(":ERROR: 0 'Too many 2 failures to 0 successes'\n")
		}, `Unexpected response: ":ERROR: 0 'Too many 2 failures to 0 successes'"`, true},
		"client timeout": {func(r *receiver) {
			wantAll(r)
			r.until(wire.UpdatesEnd)
			r.chunk(":ERROR: 0 '60.0 seconds: updates line'\n")
		}, `Unexpected response: ":ERROR: 0 '60.0 seconds: updates line'"`, false},
		"updates unanswered": {func(r *receiver) { wantAll(r); r.until(wire.UpdatesEnd) }, "Early disconnect", false},
		"updates half": {func(r *receiver) {
			wantAll(r)
			r.until(wire.UpdatesEnd)
			r.chunk(wire.UpdatesStart + "\r\n")
			r.say("0\r\n\r\n")
		}, "Early disconnect", false},
		"updates odd": {func(r *receiver) {
			wantAll(r)
			r.until(wire.UpdatesEnd)
			r.chunk(wire.UpdatesStart + "\r\n")
			r.chunk("odd\r\n")
		}, "Unexpected response: 'odd'", false},
		"hangs up while it is sent to": {func(r *receiver) { wantAll(r); r.until(wire.UpdatesStart) }, "EXCEPTION in ssync.Sender: ", false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			objects := &fakeObjects{all: []*wire.Object{fakeData(1, strings.Repeat("big", 50_000)), fakePost(2, "x")}}
			res, log := play(t, objects, c.script, nil)
			if res.OK || res.Proven != nil {
				t.Errorf("the sync returned %+v", res)
			}
			if (res.Silence == messages.Unanswered) != slices.Contains(broken, what) || res.Silence == messages.Unreachable {
				t.Errorf("it is called %v", res.Silence)
			}
			lines := log.swift()
			if len(lines) != 1 || !strings.HasPrefix(lines[0], node+c.want) {
				t.Errorf("log:\n%s\nwant %s%s", log, node, c.want)
			}
			if c.verify != slices.Equal(objects.verified, []string{fakeHash(1)}) || !c.verify && len(objects.verified) > 0 {
				t.Errorf("verified: %v", objects.verified)
			}
		})
	}
}

// What a receiver says before it hangs up is told, and not only that it did.
func TestLastWords(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		r := &receiver{t: t, conn: conn, in: bufio.NewReader(conn)}
		r.wants(fakeHash(1) + " d")
		r.until(wire.UpdatesStart)
		r.chunk(":ERROR: 0 'Too many 1 failures to 0 successes'\n")
		_ = conn.(*net.TCPConn).SetLinger(-1)
		_ = conn.Close() // with much unread: a reset
	}()
	objects := &fakeObjects{all: []*wire.Object{fakeData(1, strings.Repeat("big", 10<<20))}}
	res, log := play(t, objects, func(*receiver) {}, func(c *Config, job *messages.SyncJob) {
		pipe := c.Dial
		c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			_, _ = pipe(ctx, network, "") // for its script to end
			return net.Dial("tcp4", l.Addr().String())
		}
	})
	if lines := log.swift(); res.OK || len(lines) != 1 || lines[0] != node+`Unexpected response: ":ERROR: 0 'Too many 1 failures to 0 successes'"` {
		t.Errorf("%+v\n%s", res, log)
	}
	if len(objects.verified) != 1 {
		t.Errorf("verified %v", objects.verified)
	}
}

// Every limit, with the words that Swift has for it.
func TestTimeouts(t *testing.T) {
	big := strings.Repeat("big", 50_000)
	for want, c := range map[string]struct {
		limit  string
		script func(*receiver)
		change func(*Config, *messages.SyncJob)
	}{
		"1.0 second: connect send":           {limit: "conn", script: func(*receiver) {}},
		"1.0 second: connect receive":        {limit: "node", script: func(r *receiver) { r.head(); r.hold() }},
		"1.0 second: missing_check start":    {limit: "node", script: func(r *receiver) { r.ok(); r.hold() }},
		"1.0 second: missing_check end":      {limit: "node", script: func(r *receiver) { r.ok(); r.until(wire.MissingStart); r.hold() }},
		"1 second: missing_check start wait": {limit: "http", script: func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.hold() }},
		"1 second: missing_check line wait": {limit: "http", script: func(r *receiver) {
			r.ok()
			r.until(wire.MissingEnd)
			r.chunk(wire.MissingStart + "\r\n")
			r.say("10\r\nhalf a ")
			r.hold()
		}},
		"1.0 second: updates start": {limit: "node", script: func(r *receiver) { r.wants(fakeHash(1) + " dm"); r.hold() }},
		"1.0 second: updates end":   {limit: "node", script: func(r *receiver) { r.wants(fakeHash(2) + " d"); r.until(wire.UpdatesStart); r.hold() }},
		"1.0 second: send_put":      {limit: "node", script: func(r *receiver) { r.wants(fakeHash(1) + " d"); r.until(wire.UpdatesStart); r.hold() }},
		"1.0 second: send_put chunk": {limit: "node", script: func(r *receiver) {
			r.wants(fakeHash(1) + " d")
			r.until(wire.UpdatesStart)
			_, _ = io.CopyN(io.Discard, r.body, 1000)
			r.hold()
		}},
		"1 second: updates start wait": {limit: "http", script: func(r *receiver) { r.wants(); r.until(wire.UpdatesEnd); r.hold() }},
		"1 second: updates line wait":  {limit: "http", script: func(r *receiver) { r.wants(); r.until(wire.UpdatesEnd); r.chunk(wire.UpdatesStart + "\r\n"); r.hold() }},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			objects := &fakeObjects{all: []*wire.Object{fakeData(1, big), fakeTombstone(2)}}
			res, log := play(t, objects, c.script, func(cfg *Config, job *messages.SyncJob) {
				switch c.limit {
				case "node":
					cfg.NodeTimeout = time.Second
				case "http":
					cfg.HTTPTimeout = time.Second
				case "conn":
					cfg.ConnTimeout = time.Second
					pipe := cfg.Dial
					cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						_, _ = pipe(ctx, network, address) // for its script to end
						<-ctx.Done()
						return nil, ctx.Err()
					}
				}
			})
			silence := messages.Unanswered
			if c.limit == "conn" {
				silence = messages.Unreachable
			}
			if lines := log.swift(); res.OK || res.Silence != silence || len(lines) != 1 || lines[0] != node+want {
				t.Errorf("%+v\n%s", res, log)
			}
		})
	}
	for _, c := range []struct {
		d     time.Duration
		float bool
		want  string
	}{
		{time.Second / 2, true, "0.5 seconds"},
		{10 * time.Second, true, "10.0 seconds"},
		{time.Second, true, "1.0 second"},
		{60 * time.Second, false, "60 seconds"},
		{time.Second, false, "1 second"},
	} {
		if got := seconds(c.d, c.float); got != c.want {
			t.Errorf("%s is %q", c.d, got)
		}
	}
}

// A sender that offers much to a receiver that does not read.
func TestTimeoutWhileOffering(t *testing.T) {
	objects := &fakeObjects{}
	for i := range 2000 {
		objects.all = append(objects.all, fakeTombstone(i))
	}
	_, log := play(t, objects, func(r *receiver) { r.ok(); r.until(wire.MissingStart); r.hold() },
		func(cfg *Config, _ *messages.SyncJob) { cfg.NodeTimeout = time.Second })
	lines := log.swift()
	var n, bytes int
	if len(lines) != 1 {
		t.Fatalf("log:\n%s", log)
	}
	if _, err := fmt.Sscanf(lines[0], node+"1.0 second: missing_check send line: %d lines (%d bytes) sent", &n, &bytes); err != nil || n < 100 || bytes < 50*n {
		t.Errorf("%q: %v", lines[0], err)
	}
}

// What a receiver's answers prove.
func TestProofs(t *testing.T) {
	data, meta := t0+".data", t1+".meta"
	for what, c := range map[string]struct {
		want  string
		ok    bool
		files []string
		sent  []string
	}{
		"nothing wanted":       {"", true, []string{data, meta}, nil}, // here the probe wants nothing, too: a newer tombstone
		"all wanted":           {" dm", true, []string{data, meta}, []string{"PUT /a/c/o1", "POST /a/c/o1"}},
		"data wanted":          {" d", true, []string{data}, []string{"PUT /a/c/o1"}}, // also by one that has a tombstone and no metadata
		"meta wanted":          {" m", true, []string{data, meta}, []string{"POST /a/c/o1"}},
		"wanted by an old one": {"-", true, []string{data}, []string{"PUT /a/c/o1"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var updates string // of all sessions: what was not wanted is asked about again
			res, log := play(t, &fakeObjects{all: []*wire.Object{fakePost(1, "body\n")}}, func(r *receiver) {
				switch c.want {
				case "":
					r.wants()
				case "-":
					r.wants(fakeHash(1))
				default:
					r.wants(fakeHash(1) + c.want)
				}
				got := r.takes()
				mu.Lock()
				defer mu.Unlock()
				updates += got
			}, nil)
			if res.OK != c.ok || len(res.Proven) != 1 || !slices.Equal(res.Proven[fakeHash(1)], c.files) {
				t.Errorf("%+v\n%s", res, log)
			}
			for _, line := range c.sent {
				if !strings.Contains(updates, line+"\r\n") {
					t.Errorf("not sent: %s in %q", line, updates)
				}
			}
			if n := strings.Count(updates, "/a/c/o1"); n != len(c.sent) {
				t.Errorf("%d subrequests: %q", n, updates)
			}
		})
	}
	// What could not be listed fails the job, and does not stop the rest.
	res, log := play(t, &fakeObjects{all: []*wire.Object{fakeData(1, "")}, eachErr: syscall.EIO}, func(r *receiver) { r.wants(); r.takes() }, nil)
	if res.OK || len(res.Proven) != 1 {
		t.Errorf("%+v\n%s", res, log)
	}
}

// The request's head to other addresses, and what a Transport cannot be made of.
func TestHead(t *testing.T) {
	for _, c := range []struct {
		ip   string
		port int
		want string
	}{{"10.0.0.1", 80, "10.0.0.1"}, {"fe80::1", 6200, "[fe80::1]:6200"}, {"10.0.0.1", 6200, "10.0.0.1:6200"}} {
		s := &session{job: messages.SyncJob{
			Partition: messages.Partition{Device: "sda", Policy: 3, Number: 7},
			Node:      messages.Node{ReplicationIP: c.ip, ReplicationPort: c.port, Device: "sdb"},
		}}
		want := "SSYNC /sdb/7 HTTP/1.1\r\nHost: " + c.want + "\r\nAccept-Encoding: identity\r\nTransfer-Encoding: chunked\r\nX-Backend-Storage-Policy-Index: 3\r\n\r\n"
		if got := string(s.head()); got != want {
			t.Errorf("head is %q", got)
		}
	}
	open := func(context.Context, messages.SyncJob) (Objects, error) { return nil, nil }
	for what, cfg := range map[string]Config{
		"no timeouts": {Open: open}, "no disk": {ConnTimeout: 1, NodeTimeout: 1, HTTPTimeout: 1},
		"limit": {ConnTimeout: 1, NodeTimeout: 1, HTTPTimeout: 1, LineLimit: -1, Open: open},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: a Transport", what)
		}
	}
}
