package rsync

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"understudy/internal/transport/conformance"
	"understudy/messages"
)

// A truncated twin at the target: for names alone it is proven, and would be
// lost with the handoff; its size gives it away.
func TestTruncatedTwin(t *testing.T) {
	for _, names := range []bool{true, false} {
		r := newRig(t, "", func(c *Config) { c.NamesAreProof = names })
		o := conformance.Objects(1, 1)[0]
		path := o.Path("1700000000.00000", ".data")
		whole := o.Data("1700000000.00000", "body")
		r.here.Put(1, path, whole)
		r.there.Put(1, path, conformance.File{Metadata: whole.Metadata})
		job := r.job(1, o.Suffix)
		job.Handoff, job.Held = true, messages.Files{o.Dir[4:]: {"1700000000.00000.data"}}
		got, err := r.Sync(t.Context(), job)
		if err != nil || !got.OK {
			t.Fatalf("%+v, %v", got, err)
		}
		if proven := len(got.Proven) == 1; proven != names {
			t.Errorf("handoff_proof names=%v: proven %v", names, got.Proven)
		}
	}
}

// steps are what a sync does, in order: real rsyncs and words to the peer.
type steps struct {
	Spawner
	Peers
	mu   sync.Mutex
	done []string
}

func (s *steps) note(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, step)
}

func (s *steps) Start(argv []string, out io.Writer) Child {
	step := "push"
	if slices.Contains(argv, "--dry-run") {
		step = "prove"
	}
	s.note(step)
	return s.Spawner.Start(argv, out)
}

func (s *steps) Invalidate(ctx context.Context, n messages.Node, policy int, part uint32, suffixes []string) error {
	s.note("tell")
	return s.Peers.Invalidate(ctx, n, policy, part, suffixes)
}

// Two nodes that revert the same partition to each other must not both give it up. A
// node that has proven what the other holds relies on this: if the other is about to
// remove it, it has been told before, finds its hashes.invalid grown, and keeps it. So
// the peer is told before anything is proven.
func TestProofComesAfterTheWord(t *testing.T) {
	var s *steps
	r := newRig(t, "", func(c *Config) {
		s = &steps{Spawner: Processes{}, Peers: c.Peers}
		c.Spawn, c.Peers = s, s
	})
	o := conformance.Objects(1, 1)[0]
	r.here.Put(1, o.Path("1700000000.00000", ".data"), o.Data("1700000000.00000", "body"))
	job := r.job(1, o.Suffix)
	job.Handoff, job.Held = true, messages.Files{o.Dir[4:]: {"1700000000.00000.data"}}
	got, err := r.Sync(t.Context(), job)
	if err != nil || len(got.Proven) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if order := strings.Join(s.done, " "); order != "push tell prove" {
		t.Errorf("the order was %s", order)
	}
}

// Whatever rsync prints that is not understood proves nothing.
func TestDiffering(t *testing.T) {
	const a = "abc/0123456789abcdef0123456789abcabc/1.data"
	for _, test := range []struct {
		text            string
		missing, differ int
		ok              bool
	}{
		{"", 0, 0, true},
		{"cd+++++++++ abc/\n", 0, 0, true},
		{"<f+++++++++ " + a + "\n", 1, 0, true},
		{"<f.s....... " + a + "\n<f.s......x " + a + "2\n<f+++++++++ " + a + "3\n", 1, 2, true},
		{"skipping non-regular file \"x\"\n", 0, 0, false},
		{"<f+++++++++ with blanks in it\n", 0, 0, false},
		{"IO error encountered\n", 0, 0, false},
		{"<", 0, 0, false},
	} {
		out := &output{}
		_, _ = out.Write([]byte(test.text))
		missing, differ, ok := out.differing()
		if len(missing) != test.missing || len(differ) != test.differ || ok != test.ok {
			t.Errorf("%q: %v %v %v", test.text, missing, differ, ok)
		}
	}
	flood := &output{}
	for range 3 * keepFirst / 64 {
		_, _ = flood.Write([]byte("<f+++++++++ " + a + "\n"))
	}
	if _, _, ok := flood.differing(); ok {
		t.Error("a list with a hole in it was believed")
	}
}
