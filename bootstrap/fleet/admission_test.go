package fleet

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"understudy/bootstrap"
	"understudy/bootstrap/remoteapi"
	"understudy/config"
	"understudy/internal/certtest"
	"understudy/internal/lab"
	"understudy/messages"
	"understudy/messages/controlpb"
)

// pushes counts the sync sessions of a server that run at once.
type pushes struct {
	net.Listener
	mu   sync.Mutex
	now  int
	most int
	all  int
}

func (p *pushes) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pushed{Conn: c, to: p}, nil
}

// pushed is a connection to a server: it is a push when it begins with one. Each step of
// one takes a little, so that those that may run at once do.
type pushed struct {
	net.Conn
	to     *pushes
	head   []byte
	counts atomic.Bool // set before the first write of the push
	once   sync.Once
}

func (c *pushed) Read(b []byte) (int, error) {
	if c.counts.Load() {
		time.Sleep(10 * time.Millisecond)
	}
	n, err := c.Conn.Read(b)
	if len(c.head) < 6 {
		c.head = append(c.head, b[:n]...)
		if bytes.HasPrefix(c.head, []byte("SSYNC ")) {
			c.counts.Store(true)
			c.to.mu.Lock()
			c.to.now++
			c.to.all++
			c.to.most = max(c.to.most, c.to.now)
			c.to.mu.Unlock()
		}
	}
	return n, err
}

// Write sees the end of the answer before the sender can. After it a sender says good-bye
// and does not wait until the server has heard it: another push may begin before.
func (c *pushed) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(":UPDATES: END")) {
		c.over()
	}
	return c.Conn.Write(b)
}

func (c *pushed) Close() error {
	c.over()
	return c.Conn.Close()
}

func (c *pushed) over() {
	if !c.counts.Load() {
		return
	}
	c.once.Do(func() {
		c.to.mu.Lock()
		c.to.now--
		c.to.mu.Unlock()
	})
}

// rebuilt is a cluster of three nodes whose third has lost its only disk. Its server counts.
type rebuilt struct {
	*lab.Cluster
	testing.TB
	history *lab.History
	pushes  *pushes
}

func newRebuilt(t *testing.T) *rebuilt {
	c, err := lab.New(t.Context(), lab.Spec{
		Dir: t.TempDir(), Nodes: 3, Disks: 1, Replicas: 3, PartPower: 2, Seed: 1,
		Options: map[string]string{"sync_method": "ssync", "native_lane": "no", "concurrency": "8"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	h, err := c.Seed(t.Context(), lab.Draw{Objects: 20, Seed: 1, Base: time.Now().Add(-24 * time.Hour), Ssync: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &rebuilt{Cluster: c, TB: t, history: h}
	n := c.Node(3)
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Lose(lab.Place{Node: n, Disk: "d1"}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(n.IP, strconv.Itoa(n.Port)))
	if err != nil {
		t.Fatal(err)
	}
	r.pushes = &pushes{Listener: l}
	serving, err := config.Load(n.ConfPath(), config.Options{Section: config.ServerSection, SwiftConf: filepath.Join(c.Dir, "etc", "swift.conf")})
	if err != nil {
		t.Fatal(err)
	}
	server := bootstrap.NewServer(bootstrap.ServerSettings{Config: serving, Log: zerolog.Nop()})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.ServeOn(ctx, r.pushes) }()
	t.Cleanup(func() { cancel(); <-ended })
	return r
}

// member joins a node, with an engine of one pass.
func (r *rebuilt) member(number int, ca *certtest.Authority, seeds []string, admission *remoteapi.AdmissionConfig) (*Member, *bootstrap.Engine) {
	r.Helper()
	n := r.Node(number)
	s := bootstrap.Settings{Config: n.Config, Once: true, Log: zerolog.Nop()}
	var a *remoteapi.Admission
	if admission != nil {
		var err error
		if a, err = remoteapi.NewAdmission(*admission); err != nil {
			r.Fatal(err)
		}
		s.Parts.Admission = a
	}
	e, err := bootstrap.New(s)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(e.Close)
	host, text, _ := net.SplitHostPort(seeds[number-1])
	port, _ := strconv.Atoi(text)
	name := fmt.Sprintf("n%d", number)
	m, err := Join(quiet(), e, Config{
		Cluster: "test", Remote: remoteapi.Config{Node: name, Address: host, Port: port, TLS: ca.Config(name, host)},
		Provider:  NewStatic(StaticConfig{Seeds: seeds, Every: 200 * time.Millisecond, Lost: 5 * time.Second}),
		Admission: a,
	})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := m.Leave(); err != nil {
			r.Error(err)
		}
	})
	return m, e
}

// Two nodes make the third one's lost disk again, eight jobs at a time each, in a cluster
// with certificates. The disk has one push at a time, and lacks nothing in the end.
func TestAdmissionBetweenMembers(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		owner     string // of the disk
		admission *remoteapi.AdmissionConfig
		most      int // 0: no bound
	}{
		{"admits one", &remoteapi.AdmissionConfig{In: 1, Out: 8, Again: 300 * time.Millisecond, Term: 3 * time.Second}, 1},
		{"keeps no account", nil, 0},
	} {
		t.Run("the owner "+test.owner, func(t *testing.T) {
			r := newRebuilt(t)
			var seeds []string
			for i := range 3 {
				l, err := net.Listen("tcp", r.Node(i+1).IP+":0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				seeds = append(seeds, l.Addr().String())
				l.Close()
			}
			asking := remoteapi.AdmissionConfig{Out: 8, Again: time.Second, Patience: 1500 * time.Millisecond}
			third, _ := r.member(3, w.ca, seeds, test.admission)
			var engines []*bootstrap.Engine
			for number := 1; number <= 2; number++ {
				m, e := r.member(number, w.ca, seeds, &asking)
				engines = append(engines, e)
				for end := time.Now().Add(enough); !sees(m, "n1", "n2", "n3")() && number == 2; time.Sleep(20 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("the members do not see each other")
					}
				}
			}
			var stats [2]messages.Stats
			group, ctx := errgroup.WithContext(t.Context())
			for i, e := range engines {
				group.Go(func() (err error) { stats[i], err = e.Run(ctx); return err })
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			if v, err := r.Check(t.Context(), r.history); err != nil || !v.OK() {
				t.Errorf("the disks: %v, %v", v, err)
			}
			// Pushes of one partition at once meet at its lock; with one at a time there is none.
			if test.most > 0 && stats[0].Failure+stats[1].Failure > 0 || stats[0].Attempted != 4 || stats[1].Attempted != 4 {
				t.Errorf("%+v, %+v", stats[0].Counts, stats[1].Counts)
			}
			r.pushes.mu.Lock()
			most, all := r.pushes.most, r.pushes.all
			r.pushes.mu.Unlock()
			t.Logf("%d pushes, at most %d at once", all, most)
			if test.most > 0 && most > test.most || test.most == 0 && most < 2 || all < 4 {
				t.Errorf("%d pushes, at most %d at once", all, most)
			}
			s, err := third.Ask("n3", &controlpb.Request{Command: &controlpb.Request_GetIdentity{}}, enough)
			if err != nil || s.GetIdentity().GetNode() != "n3" {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}
