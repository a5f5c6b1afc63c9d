package stage

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
	"understudy/internal/lab/links"
	"understudy/internal/scenario"
)

const leaky = "STAGE_TEST_LEAK"

// forgetful is the orders of a node. When the environment says so, a file is opened with
// the first one and never closed.
type forgetful struct {
	*os.File
	kept int // an *os.File would be closed by the collector of garbage
}

func (f *forgetful) Read(p []byte) (int, error) {
	if f.kept == 0 && os.Getenv(leaky) != "" {
		f.kept, _ = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	return f.File.Read(p)
}

// What the process of a node has left when it is told to end counts as leaked.
func TestLeaksOfProcesses(t *testing.T) {
	s, err := scenario.Parse("title T\n[cluster]\nnodes 2\ndevices 1\nreplicas 2\nmethod ssync\n[data]\nobjects 2\n[steps]\npass\n")
	must(t, err)
	t.Setenv(leaky, "yes")
	r := play(t, s, Options{Dir: t.TempDir(), Seed: 1, Process: ourselves(t), Linger: 1})
	if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, "n1: 1 more: descriptor of /dev/null") }) {
		tell(t, r)
		t.Errorf("not seen: %v", r.Problems)
	}
}

// The cuts of a plan are of links where nodes have networks of their own.
func TestCutLinks(t *testing.T) {
	s, err := scenario.Parse("title T\n[cluster]\nnodes 2\ndevices 1\nreplicas 2\nmethod ssync\nset http_timeout = 1\nset node_timeout = 1\n" +
		"set conn_timeout = 0.3\n[data]\nobjects 3: put 2h on 1 primary\n[faults]\nnet from=n1 to=n2 : cut\n[steps]\npass\nfaults clear\nsettle\n[expect]\nfailures >= 1\n")
	must(t, err)
	r, err := Run(t.Context(), s, Options{Dir: t.TempDir(), Seed: 1, Process: ourselves(t), Networks: true})
	if errors.Is(err, links.ErrNone) && os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	must(t, err)
	if !r.Held() {
		tell(t, r)
		t.Fatal("it does not hold")
	}
	if r.Coverage["net-cut"] != 1 {
		t.Errorf("%d links were cut, not one", r.Coverage["net-cut"])
	}
}

// What is of links, and what is left to the nodes.
func TestLinked(t *testing.T) {
	const links = "net from=n1 to=n2|n3 : cut after=1s for=2s\nnet : cut\n"
	const nodes = "net from=n1 : cut p=0.5\nnet op=read : cut\nnet port=6200 : cut\nnet : reset\ndisk : error EIO\nnet to=n1 : cut nth=3\n"
	p, err := fault.Parse("seed 7\n" + links + nodes)
	must(t, err)
	cut, rest := linked(p)
	if got := (fault.Plan{Faults: cut}).String(); got != links {
		t.Errorf("of links:\n%s", got)
	}
	if got := rest.String(); got != "seed 7\n"+nodes {
		t.Errorf("of nodes:\n%s", got)
	}
}
