package bootstrap_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"understudy/internal/swift/hashes"
	"understudy/internal/swift/hashpath"
	"understudy/messages"
)

// peer is another node's object server.
type peer struct {
	id   int
	ip   string
	port int

	mu      sync.Mutex
	asked   []string                                                 // "policy /device/partition[/suffixes]", in order
	answer  func(policy int, part string) (int, []byte)              // to a REPLICATE without suffixes
	refresh func()                                                   // called at a REPLICATE with suffixes
	ssync   func(n int, offered []string) (wanted []string, ok bool) // answers the n-th SSYNC
	ssyncs  int
}

// startPeers starts object servers on loopback addresses of their own, one of them
// of IPv6. They have nothing: each answers with no hashes.
func (r *rig) startPeers(n int) {
	r.Helper()
	r.peers = []*peer{{ip: "127.0.7.100", port: 6200}}
	for id := 1; id <= n; id++ {
		p := &peer{id: id, ip: fmt.Sprintf("127.0.7.%d", id)}
		if id == 5 {
			p.ip = "::1"
		}
		l, err := net.Listen("tcp", net.JoinHostPort(p.ip, "0"))
		if err != nil {
			r.Fatal(err)
		}
		p.port = l.Addr().(*net.TCPAddr).Port
		server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(l) }() // ends with Close
		r.Cleanup(func() { server.Close() })
		r.peers = append(r.peers, p)
	}
}

// String is the node as log lines name it.
func (p *peer) String() string { return net.JoinHostPort(p.ip, fmt.Sprint(p.port)) + "/sda" }

func (p *peer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var policy int
	if _, err := fmt.Sscan(req.Header.Get("X-Backend-Storage-Policy-Index"), &policy); err != nil {
		http.Error(w, "no policy", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	answer, refresh, ssync, n := p.answer, p.refresh, p.ssync, p.ssyncs
	if req.Method == "SSYNC" {
		p.ssyncs++
	} else {
		p.asked = append(p.asked, fmt.Sprintf("%d %s", policy, req.URL.Path))
	}
	p.mu.Unlock()
	part := strings.Split(req.URL.Path, "/")
	switch {
	case req.Method == "SSYNC" && ssync != nil:
		serveSSYNC(w, req, n, ssync)
	case req.Method != "REPLICATE" || len(part) < 3 || len(part) > 4:
		http.Error(w, "what?", http.StatusMethodNotAllowed)
	case len(part) == 4:
		if refresh != nil {
			refresh()
		}
		_, _ = w.Write(hashes.EncodeWire(nil))
	default:
		status, body := http.StatusOK, hashes.EncodeWire(nil)
		if answer != nil {
			status, body = answer(policy, part[2])
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

func (p *peer) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = nil
}

// with changes what a peer does.
func (p *peer) with(change func(*peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// says makes a peer give one answer to every question.
func (p *peer) says(status int, body []byte) {
	p.with(func(p *peer) { p.answer = func(int, string) (int, []byte) { return status, body } })
}

// requests are how often each peer got each request: "id policy path" → number.
func (r *rig) requests() map[string]int {
	out := map[string]int{}
	for _, p := range r.peers[1:] {
		p.with(func(p *peer) {
			for _, a := range p.asked {
				out[fmt.Sprintf("%d %s", p.id, a)]++
			}
		})
	}
	return out
}

// rsyncScript notes its command line and answers as it is told to, for each
// target: a file answer.<host> that is sourced.
const rsyncScript = `#!/bin/sh
kind=push
for last; do [ "$last" = --dry-run ] && kind=proof; done
host=${last%%::object*}
line=$kind
for arg; do line="$line	$arg"; done
[ $kind = proof ] && { [ -f 'DIR/proof'."$host" ] && . 'DIR/proof'."$host"; exit 0; }
printf '%s\n' "$line" >>'DIR/calls'
[ -f 'DIR/answer'."$host" ] && . 'DIR/answer'."$host"
exit 0
`

func (r *rig) fakeRsync() {
	r.Helper()
	r.write("bin/rsync", strings.ReplaceAll(rsyncScript, "DIR", r.path("bin")))
	if err := os.Chmod(r.path("bin/rsync"), 0o755); err != nil {
		r.Fatal(err)
	}
	r.Setenv("PATH", r.path("bin")+":"+os.Getenv("PATH"))
}

// rsyncTo makes every rsync to a peer do something; "" is a success.
func (r *rig) rsyncTo(id int, script string) {
	r.Helper()
	host := r.peers[id].ip
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	r.write("bin/answer."+host, script+"\n")
}

// push is one rsync.
type push struct {
	argv []string
	to   int // the peer's id
	dest string
	from []string // suffix paths below this node's disk
}

// pushes are the rsyncs of the pass, in order, without those that only compare.
func (r *rig) pushes() (out []push) {
	r.Helper()
	data, err := os.ReadFile(r.path("bin/calls"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		r.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		argv := strings.Split(strings.TrimSuffix(line, "\n"), "\t")[1:]
		c := push{argv: argv, dest: argv[len(argv)-1]}
		host := strings.Trim(strings.Split(c.dest, "::object")[0], "[]")
		c.to = slices.IndexFunc(r.peers, func(p *peer) bool { return p.ip == host })
		for _, arg := range argv[:len(argv)-1] {
			if rel, ok := strings.CutPrefix(arg, r.path("node/sda")+"/"); ok {
				c.from = append(c.from, rel)
			}
		}
		out = append(out, c)
	}
	return out
}

// targets are the pushes as "from → id", sorted.
func (r *rig) targets() (out []string) {
	for _, p := range r.pushes() {
		out = append(out, fmt.Sprintf("%s → %d", strings.Join(p.from, " "), p.to))
	}
	slices.Sort(out)
	return out
}

// paths places objects by the suffix that swift.conf holds.
var paths = hashpath.Hasher{Suffix: []byte("endcap")}

// object puts an object of one data file into a partition and returns its hash and
// its suffix directory, below the policy's.
func (r *rig) object(policy int, part, name string) (hash, suffix string) {
	r.Helper()
	hash = paths.Hex("a", "c", name)
	suffix = part + "/" + hash[29:]
	rel, err := filepath.Rel(r.dir, r.at(policy, suffix))
	if err != nil {
		r.Fatal(err)
	}
	r.write(rel+"/"+hash+"/1700000000.00000.data", "1234567890")
	return hash, suffix
}

// wire are suffix hashes as a peer tells them: the one of object's files when same,
// else another one.
func wire(same bool, suffixes ...string) []byte {
	all := messages.Hashes{}
	for _, s := range suffixes {
		sum := md5.Sum([]byte("1700000000.00000.data"))
		if !same {
			sum[0]++
		}
		all[filepath.Base(s)] = hex.EncodeToString(sum[:])
	}
	return hashes.EncodeWire(all)
}
