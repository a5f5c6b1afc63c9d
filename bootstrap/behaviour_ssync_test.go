package bootstrap_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/swift/metadata"
	"understudy/messages"
)

// serveSSYNC is the receiving side as far as these tests need it: it hears the
// offers, asks for what f wants and takes what comes without keeping it.
func serveSSYNC(w http.ResponseWriter, req *http.Request, n int, f func(n int, offered []string) ([]string, bool)) {
	in := bufio.NewReader(req.Body)
	out := http.NewResponseController(w)
	if out.EnableFullDuplex() != nil {
		return
	}
	say := func(lines ...string) {
		_, _ = io.WriteString(w, strings.Join(lines, "\r\n")+"\r\n")
		_ = out.Flush()
	}
	w.WriteHeader(http.StatusOK)
	_ = out.Flush()
	lines := func(end string) (got []string) {
		for {
			line, err := in.ReadString('\n')
			if line = strings.TrimSpace(line); err != nil || line == end {
				return got
			}
			got = append(got, line)
		}
	}
	var offered []string
	for _, line := range lines(":MISSING_CHECK: END")[1:] {
		offered = append(offered, strings.Fields(line)[0])
	}
	wanted, ok := f(n, offered)
	if !ok {
		say(":ERROR: 500 'no'")
		return
	}
	answer := []string{":MISSING_CHECK: START"}
	for _, hash := range wanted {
		answer = append(answer, hash+" d")
	}
	say(append(answer, ":MISSING_CHECK: END")...)
	for {
		line, err := in.ReadString('\n')
		switch line = strings.TrimSpace(line); {
		case err != nil: // only asked
			return
		case line == ":UPDATES: END":
			say(":UPDATES: START", ":UPDATES: END")
			_, _ = io.Copy(io.Discard, in)
			return
		case strings.HasPrefix(line, "PUT "):
			size := int64(0)
			for _, header := range lines("") {
				if length, ok := strings.CutPrefix(header, "Content-Length: "); ok {
					size, _ = strconv.ParseInt(length, 10, 64)
				}
			}
			_, _ = io.CopyN(io.Discard, in, size)
		}
	}
}

// In ssync mode a remote region is sent one copy and its other nodes are only
// asked; nothing goes before every node has what was offered, in that very pass.
func TestBehaviourRevertBySSYNC(t *testing.T) {
	everything := func(int, []string) ([]string, bool) { return nil, true }
	fails := func(int, []string) ([]string, bool) { return nil, false }
	failsOnce := func(n int, _ []string) ([]string, bool) { return nil, n > 0 }
	lacks := func(_ int, offered []string) ([]string, bool) { return offered, true }
	for _, c := range []struct {
		name   string
		peers  [3]func(int, []string) ([]string, bool) // nodes 1 and 3 share a region
		passes int                                     // after which the handoff is gone; 0: never
		failed int                                     // nodes in the first pass
	}{
		{"all have it", [3]func(int, []string) ([]string, bool){everything, everything, everything}, 1, 0},
		{"the last fails once", [3]func(int, []string) ([]string, bool){everything, everything, failsOnce}, 2, 1},
		{"only one succeeds", [3]func(int, []string) ([]string, bool){fails, fails, everything}, 0, 2},
		{"the asked one lacks it", [3]func(int, []string) ([]string, bool){everything, everything, lacks}, 0, 0},
		{"the first takes it", [3]func(int, []string) ([]string, bool){lacks, everything, everything}, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "sync_method = ssync", "http_timeout = 5", "node_timeout = 5")
			hash, suffix := r.sealed("1", "o")
			for i, answer := range c.peers {
				r.peers[i+1].with(func(p *peer) { p.ssync = answer })
			}
			for pass := 1; pass <= 3; pass++ {
				stats := r.passOf(revertOnly)
				gone := c.passes > 0 && pass >= c.passes
				if r.exists(r.at(0, suffix+"/"+hash)) == gone || r.exists(r.at(0, "1")) == gone {
					t.Fatalf("pass %d: the handoff is gone %v, want %v\n%s", pass, !gone, gone, r.log)
				}
				want := messages.Counts{Attempted: 1, Rsync: 3, Failure: c.failed, Success: 3 - c.failed}
				if gone {
					want.Remove = 1
				}
				if pass == 1 && stats.Counts != want {
					t.Errorf("got %+v, want %+v\n%s", stats.Counts, want, r.log)
				}
				if gone {
					break
				}
			}
		})
	}
}

// Within one region each node is offered everything, and the partition goes whole.
func TestBehaviourRevertBySSYNCInOneRegion(t *testing.T) {
	r := newRig(t, "sync_method = ssync")
	nodes := r.nodes()
	for _, n := range nodes {
		n.Region = 1
	}
	r.ring(0, 0, replicas(), nodes)
	hash, _ := r.sealed("1", "o")
	for _, p := range r.peers[1:4] {
		p.with(func(p *peer) {
			p.ssync = func(_ int, offered []string) ([]string, bool) { return nil, slices.Equal(offered, []string{hash}) }
		})
	}
	if stats := r.passOf(revertOnly); stats.Remove != 1 || stats.Success != 3 || stats.Failure != 0 {
		t.Errorf("got %+v\n%s", stats, r.log)
	}
	r.mustLack(0, "1")
	r.mustSay("info", append(roundLines, "Removing partition: "+r.at(0, "1"))...)
}

// sealed is an object with the metadata that makes it one.
func (r *rig) sealed(part, name string) (hash, suffix string) {
	r.Helper()
	hash, suffix = r.object(0, part, name)
	path := r.at(0, suffix+"/"+hash+"/1700000000.00000.data")
	f, err := os.Open(path)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	err = metadata.Write(f, metadata.Metadata{
		{Name: "name", Value: "/a/c/" + name},
		{Name: "X-Timestamp", Value: "1700000000.00000"},
		{Name: "Content-Type", Value: "text/plain"},
		{Name: "Content-Length", Value: "10"},
		{Name: "ETag", Value: "e807f1fcf82d132f9bb018ca6738a19f"}, // of 1234567890
	})
	if err != nil {
		r.Fatal(err)
	}
	return hash, suffix
}
