package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/messages/controlpb"
)

// nodes is a fleet of which each node is quiet after some looks.
type nodes struct {
	sync.Mutex
	*testing.T
	paused map[string]bool
	busy   map[string]int64 // looks until it is quiet
	dead   map[string]bool
	deaf   map[string]bool // takes a pause, and its answer is lost
	most   int             // nodes paused at once
	order  []string
}

func (n *nodes) Ask(ctx context.Context, address string, m *controlpb.Request) (*controlpb.Reply, error) {
	n.Lock()
	defer n.Unlock()
	if n.dead[address] {
		n.Unlock()
		<-ctx.Done()
		n.Lock()
		return nil, ctx.Err()
	}
	done := &controlpb.Reply{Answer: &controlpb.Reply_Done{Done: &controlpb.Done{}}}
	switch m.Command.(type) {
	case *controlpb.Request_GetStatus:
		s := &controlpb.Status{Paused: n.paused[address], Busy: n.busy[address], State: "healthy"}
		if n.paused[address] && n.busy[address] > 0 {
			n.busy[address]--
		}
		return &controlpb.Reply{Answer: &controlpb.Reply_Status{Status: s}}, nil
	case *controlpb.Request_Pause:
		n.paused[address] = true
		n.order = append(n.order, address)
		held := 0
		for _, p := range n.paused {
			if p {
				held++
			}
		}
		n.most = max(n.most, held)
		if n.deaf[address] {
			return nil, errors.New("the answer is lost")
		}
		return done, nil
	case *controlpb.Request_Resume:
		if !n.paused[address] {
			return &controlpb.Reply{Answer: &controlpb.Reply_Error{Error: &controlpb.Error{Code: controlpb.Error_REFUSED, Message: "the node is not paused"}}}, nil
		}
		n.paused[address] = false
		return done, nil
	}
	n.Errorf("asked %T", m.Command)
	return nil, errors.New("what?")
}

func fleetOf(t *testing.T) (*nodes, *Rolling) {
	n := &nodes{T: t, paused: map[string]bool{}, busy: map[string]int64{}, dead: map[string]bool{}, deaf: map[string]bool{}}
	c := &Conf{Nodes: map[string]string{"a": "a:1", "b": "b:1", "c": "c:1"}}
	return n, &Rolling{
		Ask: n, Conf: c, For: time.Millisecond, Quiet: time.Minute, Patience: 50 * time.Millisecond, Look: time.Millisecond, Tell: func(string) {},
	}
}

func TestRollingPause(t *testing.T) {
	n, r := fleetOf(t)
	n.busy["b:1"] = 5
	var held []string
	r.Held = func(name string) {
		held = append(held, name)
		if n.busy[name+":1"] > 0 || !n.paused[name+":1"] {
			t.Errorf("%s is held while it works", name)
		}
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.most != 1 || !slices.Equal(held, []string{"a", "b", "c"}) {
		t.Errorf("%d at once, held %v", n.most, held)
	}
	for address, paused := range n.paused {
		if paused {
			t.Errorf("%s is left paused", address)
		}
	}
}

// What is wrong with one node is told and does not keep the others from their turn; no
// node is left paused by us, and none that somebody else has paused is touched.
func TestRollingPauseWithTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		trouble func(*nodes, *Rolling)
		want    string
		paused  bool // b, afterwards
	}{
		"dead":        {func(n *nodes, _ *Rolling) { n.dead["b:1"] = true }, "deadline", false},
		"paused":      {func(n *nodes, _ *Rolling) { n.paused["b:1"] = true }, "paused already", true},
		"busy":        {func(n *nodes, r *Rolling) { n.busy["b:1"] = 1 << 40; r.Quiet = 20 * time.Millisecond }, "not quiet", false},
		"answer lost": {func(n *nodes, _ *Rolling) { n.deaf["b:1"] = true }, "the answer is lost", false},
	} {
		t.Run(name, func(t *testing.T) {
			n, r := fleetOf(t)
			test.trouble(n, r)
			if name == "paused" {
				n.most = 1
			}
			err := r.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "b: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if !slices.Contains(n.order, "a:1") || !slices.Contains(n.order, "c:1") {
				t.Errorf("paused only %v", n.order)
			}
			if n.paused["b:1"] != test.paused || n.paused["a:1"] || n.paused["c:1"] {
				t.Errorf("left: %v", n.paused)
			}
		})
	}
}

// Ctrl-C in the middle.
func TestRollingPauseIsStopped(t *testing.T) {
	n, r := fleetOf(t)
	r.For = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	r.Held = func(string) { cancel() }
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n.paused["a:1"] || len(n.order) != 1 {
		t.Errorf("left: %v, order %v", n.paused, n.order)
	}
}

func TestStatusOfAFleetWithADeadNode(t *testing.T) {
	n, r := fleetOf(t)
	n.dead["b:1"] = true
	all := Status(t.Context(), n, r.Conf, 50*time.Millisecond)
	if len(all) != 3 || all[0].Status == nil || all[1].Err == nil || all[2].Status == nil {
		t.Errorf("%+v", all)
	}
}

func TestConf(t *testing.T) {
	good := `{"listen": "127.0.0.1:6210", "insecure": true, "nodes": {"a": "127.0.0.1:1"}}`
	for text, want := range map[string]string{
		good:                        "",
		`{`:                         "unexpected",
		`{"lisssten": "x"}`:         "unknown field",
		`{}`:                        "listen is missing",
		`{"listen": "localhost:1"}`: "not ip:port",
		`{"listen": "127.0.0.1"}`:   "missing port",
		`{"listen": "127.0.0.1:1"}`: "ca, cert and key",
		strings.Replace(good, "127.0.0.1:1\"", "x:y\"", 1): "node a",
	} {
		path := filepath.Join(t.TempDir(), "fleet.json")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
