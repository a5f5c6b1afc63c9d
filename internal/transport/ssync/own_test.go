package ssync

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/mux"
	ours "understudy/internal/server"
	"understudy/internal/store"
	"understudy/internal/transport/conformance"
	"understudy/messages"
)

// ownServer is our receiver in the place of Swift's.
type ownServer struct {
	net.Listener
	log    *logLines
	frozen chan struct{}
	once   sync.Once
}

// Accept hands out connections of which nothing is read once the server is frozen.
func (s *ownServer) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &freezing{Conn: c, frozen: s.frozen, closed: make(chan struct{})}, nil
}

// freezing is a connection to a server that can be frozen.
type freezing struct {
	net.Conn
	frozen, closed chan struct{}
	once           sync.Once
}

func (c *freezing) Read(p []byte) (int, error) {
	select {
	case <-c.frozen:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(p)
	}
}

func (c *freezing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (s *ownServer) freeze() { s.once.Do(func() { close(s.frozen) }) }

// startOwn is startServer for our server.
func startOwn(t *testing.T, tune func(*ours.Ssync)) *server {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := &ownServer{Listener: l, log: &logLines{}, frozen: make(chan struct{})}
	s := &server{t: t, root: filepath.Join(t.TempDir(), "there"), port: l.Addr().(*net.TCPAddr).Port, own: own}
	mustMkdir(t, filepath.Join(s.device(), "objects"))
	mustWrite(t, filepath.Join(s.device(), ".ismount"), "")
	log := zerolog.New(own.log)
	disks := store.New(store.Options{Root: s.root, MountCheck: true, ReclaimAge: 100 * 365 * 24 * time.Hour, Log: log})
	cfg := ours.Ssync{Store: disks, Paths: paths, Concurrency: ours.Off, PerDevice: ours.Off, Write: store.WriteRules{Reserve: &store.Reserve{}}}
	if tune != nil {
		tune(&cfg)
	}
	srv := ours.New(ours.Config{
		Store: disks, Policies: []messages.Policy{{Index: 0, Name: "gold"}}, Log: log, Ssync: cfg,
		Limits: ours.Limits{Drain: time.Second},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, own) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ways are how our sender can speak to our receiver.
var ways = map[string]func(t *testing.T) []func(*Config){
	"as to Swift's": func(*testing.T) []func(*Config) { return nil },
	"acknowledged":  func(*testing.T) []func(*Config) { return []func(*Config){acknowledged} },
	"by streams": func(t *testing.T) []func(*Config) {
		d := mux.NewDialer(mux.DialerConfig{Ours: func(string) bool { return true }, Log: zerolog.Nop()})
		t.Cleanup(d.Close)
		return []func(*Config){acknowledged, func(c *Config) { c.Dial = d.DialContext }}
	},
}

func acknowledged(c *Config) { c.Ours = func(string) bool { return true } }

// What every transport must do, from our sender to our receiver.
func TestConformanceOfBoth(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, func(t *testing.T) conformance.Fixture {
				r := rigTo(t, startOwn(t, nil), way(t)...)
				return conformance.Fixture{
					Transport: r, Job: r.job, Source: r.here, Target: r.there,
					Unmount: r.server.unmount, Freeze: r.server.freeze,
					MountPoint: func() []string { return names(t, r.server.device()) },
				}
			})
		})
	}
}

// Beside the temporary file of a broken rsync Swift's receiver does not see its own
// object, asks for it, and refuses it then. Ours sees it, and its copy is proven.
func TestOwnReceiverSeesBesideTemporaryFile(t *testing.T) {
	r := rigTo(t, startOwn(t, nil))
	path := r.here.data(7, "/a/c/o", t0, "body")
	r.there.data(7, "/a/c/o", t0, "body")
	mustWrite(t, filepath.Join(r.there.dir(7), filepath.Dir(path), "."+t2+".data.Ab3x9z"), "half")
	if proven := r.mustSync(r.revert(7)); len(proven) != 1 {
		t.Errorf("proven %v", proven)
	}
}

// What the receiver refuses is known by name: the others are proven, and the sender's
// object is looked at when its body was refused.
func TestOwnReceiverAcknowledges(t *testing.T) {
	r := rigTo(t, startOwn(t, nil), acknowledged)
	for i := range 200 {
		r.here.data(7, fmt.Sprintf("/a/c/o%d", i), t0, "body")
	}
	r.there.data(7, "/a/c/o100", t2, "newer") // one is not wanted
	if proven := r.mustSync(r.revert(7)); len(proven) != 200 {
		t.Errorf("%d proven", len(proven))
	}
	// With a limit on the size of headers one object is refused.
	tight := startOwn(t, func(c *ours.Ssync) { c.Constraints.MaxMetaValueLength = 10; c.FailureThreshold = 1000 })
	r = rigTo(t, tight, acknowledged)
	for i := range 100 {
		r.here.data(7, fmt.Sprintf("/a/c/o%d", i), t0, "body")
	}
	r.here.data(7, "/a/c/long", t0, "body", "X-Object-Meta-Color", "longer than ten letters")
	res, err := r.Sync(t.Context(), r.revert(7))
	if err != nil || res.OK || len(res.Proven) != 100 {
		t.Errorf("%v, OK %v, %d proven, log %s", err, res.OK, len(res.Proven), r.log)
	}
}

// A tree of one object of each kind arrives as it is.
func TestOwnReceiverTakesAll(t *testing.T) {
	r := rigTo(t, startOwn(t, nil))
	r.tree()
	two := filepath.Dir(r.here.data(7, "/a/c/two metas", t0, "two")) + "/"
	lone := r.here.post(7, "/a/c/meta alone", t2+".meta", t2, "X-Object-Meta-Color", "lost")
	for range 2 {
		r.mustSync(r.revert(7))
		r.same(two, lone)
	}
}

// What Swift's own sender sends to our receiver arrives as what it sends to Swift's.
func TestSwiftSendsToOwn(t *testing.T) {
	r := newRig(t)
	r.tree()
	mine := startOwn(t, nil)
	suffixes := r.here.suffixes(7)
	for range 2 {
		wantOK, wantMap, wantLog := swiftSends(t, r, r.server.port, 7, suffixes, nil)
		ok, deletable, log := swiftSends(t, r, mine.port, 7, suffixes, nil)
		if !ok || !wantOK || !slices.Equal(deletable, wantMap) {
			t.Fatalf("to ours: %v %v\n%s\nto Swift's: %v %v\n%s\n%s", ok, deletable, strings.Join(log, "\n"), wantOK, wantMap, strings.Join(wantLog, "\n"), mine.output())
		}
	}
	there := side{t, mine.root, "sdb", r.here.canon}
	want, got := r.there.Files(7), there.Files(7)
	for path, f := range want {
		if got[path] != f {
			t.Errorf("%s is %.300q, in Swift %.300q", path, got[path], f)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s is there, in Swift not", path)
		}
	}
}
