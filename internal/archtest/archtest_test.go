// Package archtest holds the import rules of the house. The folder tree tells
// the design only as long as nobody reaches around it.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "understudy"

type pkg struct {
	ImportPath string
	Imports    []string
}

// rule forbids imports. from and to are import paths; one that ends in "/..."
// covers everything below it, too.
type rule struct {
	from   string
	not    []string // what it may not import
	except []string // but for these
	why    string
}

var rules = []rule{
	{
		from: "understudy/actors",
		not: []string{
			"os/...", "net/...", "syscall", "golang.org/x/sys/...", "math/rand/...", "io/ioutil",
			"github.com/knadh/koanf/...", "github.com/prometheus/...", "understudy/...",
			"google.golang.org/...", "github.com/asynkron/protoactor-go/remote/...", "github.com/asynkron/protoactor-go/cluster/...",
		},
		except: []string{"understudy/messages", "understudy/internal/plan"},
		why:    "actors reach the world through the interfaces in deps.go only",
	},
	{
		from:   "understudy/messages",
		not:    []string{"os/...", "syscall", "io/...", "understudy/...", "golang.org/x/sys/..."},
		except: nil,
		why:    "messages are plain data",
	},
	{
		from:   "understudy/internal/plan",
		not:    []string{"os/...", "net/...", "syscall", "io/...", "sync/...", "math/rand/...", "understudy/..."},
		except: []string{"understudy/messages"},
		why:    "decisions are pure",
	},
	{
		from:   "understudy/internal/swift/...",
		not:    []string{"understudy/..."},
		except: []string{"understudy/internal/swift/..."},
		why:    "formats could be made public by moving them",
	},
	{
		from:   "understudy/config",
		not:    []string{"understudy/..."},
		except: []string{"understudy/internal/swift/..."},
		why:    "a configuration is a value; nothing is started from it here",
	},
	{
		from:   "understudy/internal/store",
		not:    []string{"understudy/...", "net/..."},
		except: []string{"understudy/messages", "understudy/internal/native", "understudy/internal/swift/..."},
		why:    "a disk knows no network and no actor",
	},
	{
		from:   "understudy/internal/admission",
		not:    []string{"os/...", "net/...", "syscall", "io/...", "sync/...", "math/rand/...", "understudy/...", "github.com/asynkron/..."},
		except: nil,
		why:    "a ledger is told the time and asked, nothing else",
	},
	{
		from:   "understudy/internal/native",
		not:    []string{"os/...", "net/...", "syscall", "io/...", "sync/...", "golang.org/x/sys/...", "understudy/..."},
		except: []string{"understudy/messages", "understudy/internal/swift/hashes"},
		why:    "a format does no I/O",
	},
	{
		from:   "understudy/internal/transport/...",
		not:    []string{"understudy/actors", "understudy/bootstrap", "understudy/config", "understudy/internal/store"},
		except: nil,
		why:    "only bootstrap wires things together",
	},
	{
		from: "understudy/internal/bench/...",
		not: []string{
			"understudy/actors", "understudy/bootstrap", "understudy/config", "understudy/internal/store",
			"understudy/internal/transport/...", "understudy/internal/server",
		},
		except: nil,
		why:    "programs are measured from outside",
	},
	{
		from:   "understudy/internal/observe/...",
		not:    []string{"understudy/actors", "understudy/bootstrap", "understudy/config", "understudy/internal/store", "understudy/internal/transport/..."},
		except: nil,
		why:    "what is observed is handed in",
	},
	{
		from: "understudy/internal/fleet",
		not:  []string{"understudy/...", "github.com/asynkron/..."},
		except: []string{
			"understudy/bootstrap/remoteapi", "understudy/messages", "understudy/messages/controlpb",
		},
		why: "a fleet is known by what its facades say",
	},
	{
		from:   "understudy/internal/pushes",
		not:    []string{"understudy/...", "google.golang.org/...", "github.com/asynkron/..."},
		except: []string{"understudy/messages", "understudy/internal/unixsock"},
		why:    "a daemon that asks its agent carries no remoting",
	},
	{
		from:   "understudy/messages/controlpb",
		not:    []string{"os/...", "net/...", "io/...", "understudy/..."},
		except: nil,
		why:    "a wire format does no I/O",
	},
	{
		from: "understudy/internal/fault",
		not:  []string{"understudy/...", "os/...", "net/...", "io/...", "math/rand/...", "syscall"},
		why:  "what goes wrong is decided without touching anything",
	},
	{
		from:   "understudy/internal/inspect",
		not:    []string{"understudy/...", "net/http"},
		except: []string{"understudy/messages", "understudy/internal/plan", "understudy/internal/store", "understudy/internal/swift/..."},
		why:    "one who only looks needs no engine",
	},
	{
		from:   "understudy/internal/scenario",
		not:    []string{"os/...", "net/...", "syscall", "understudy/..."},
		except: []string{"understudy/internal/fault"},
		why:    "a language does nothing",
	},
	{
		from:   "understudy/internal/server",
		not:    []string{"understudy/actors", "understudy/bootstrap", "understudy/config", "understudy/internal/transport/..."},
		except: nil,
		why:    "only bootstrap wires things together",
	},
}

// labs run real Swift, as root. What runs on a storage node has nothing of them.
var labs = []string{"understudy/internal/cluster/...", "understudy/internal/bench/..."}

// measurers may import labs.
var measurers = []string{"understudy/cmd/understudy", "understudy/internal/bench/...", "understudy/internal/cluster/...", "understudy/test/..."}

func TestOnlyMeasurersRunSwift(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			if oneOf(labs, i) && !oneOf(measurers, p.ImportPath) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// wirers may import bootstrap: the commands, what serves an engine to other processes, the
// lab and the simulation that run whole nodes, and examples.
var wirers = []string{
	"understudy/cmd/...", "understudy/bootstrap/...", "understudy/internal/lab/...", "understudy/internal/sim", "understudy/test/...",
	"understudy/examples/...",
}

// remoting is what it takes to talk to other processes by messages of actors. Programs
// that do not are not to carry it.
var remoting = []string{
	"google.golang.org/grpc/...", "github.com/asynkron/protoactor-go/remote/...", "github.com/asynkron/protoactor-go/cluster/...",
	"understudy/bootstrap/remoteapi/...", "understudy/bootstrap/fleet/...", "understudy/messages/controlpb/...",
}

func TestOnlyFleetCarriesRemoting(t *testing.T) {
	deps := func(program string) []string {
		out, err := exec.Command("go", "list", "-deps", program).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	for _, program := range []string{"understudy/cmd/understudy", "understudy/cmd/swift-object-replicator"} {
		for _, p := range deps(program) {
			if oneOf(remoting, p) {
				t.Errorf("%s carries %s", program, p)
			}
		}
	}
	if !slices.ContainsFunc(deps("understudy/cmd/understudy-fleet"), func(p string) bool { return oneOf(remoting, p) }) {
		t.Error("understudy-fleet carries no remoting: the rule finds nothing")
	}
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages seen", len(all))
	}
	return all
}

func covers(pattern, importPath string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return importPath == base || below && strings.HasPrefix(importPath, base+"/")
}

func oneOf(patterns []string, importPath string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return covers(p, importPath) })
}

// zoo is a constant, and nothing in a program that is built without its tag.
const zoo = "understudy/internal/zoo"

func TestImportRules(t *testing.T) {
	for _, p := range packages(t) {
		for _, r := range rules {
			if !covers(r.from, p.ImportPath) {
				continue
			}
			for _, i := range p.Imports {
				if i == zoo {
					continue
				}
				if oneOf(r.not, i) && !oneOf(r.except, i) {
					t.Errorf("%s imports %s: %s", p.ImportPath, i, r.why)
				}
			}
		}
	}
}

func TestOnlyBootstrapWires(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(p.Imports, "understudy/bootstrap") && !oneOf(wirers, p.ImportPath) {
			t.Errorf("%s imports bootstrap", p.ImportPath)
		}
	}
}

// No drawer for what has no place.
func TestNames(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "misc", "base"}, path.Base(p.ImportPath)) {
			t.Errorf("%s: a package is named after what it is about", p.ImportPath)
		}
	}
}

// The rules can be broken: what covers does is what they rest on.
func TestCovers(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"os/...", "os", true},
		{"os/...", "os/exec", true},
		{"os/...", "ostrich", false},
		{"syscall", "syscall", true},
		{"syscall", "syscall/js", false},
		{"understudy/internal/plan", "understudy/internal/plan/deep", false},
	} {
		if got := covers(test.pattern, test.path); got != test.want {
			t.Errorf("covers(%q, %q) = %v", test.pattern, test.path, got)
		}
	}
}
