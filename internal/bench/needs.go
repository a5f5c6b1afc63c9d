package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"

	"understudy/internal/cluster"
)

const fuseDevice = "/dev/fuse"

// need is something without which benchmarks cannot run.
type need struct {
	what  string // a path, or the name of a program or a user
	there func(what string) bool
	from  string // Debian's package; empty: none brings it
}

// basics is what every benchmark needs: even those that measure ours alone run it as
// Swift's user, beside Swift's files.
var basics = []need{
	{cluster.Stock.Path, isFile, "swift-object"},
	{cluster.StockServer.Path, isFile, "swift-object"},
	{"/usr/bin/python3", isFile, "python3-swift"},
	{"/etc/swift", isFile, "swift-object"},
	{"user " + cluster.User, isUser, "swift-object"},
	{"/usr/bin/rsync", isFile, "rsync"},
	{"unshare", inPath, "util-linux"},
	{"mount", inPath, "mount"},
}

// extras are what some benchmarks need.
var extras = map[string]need{
	"strace":   {"strace", inPath, "strace"},
	"perf":     {"perf", inPath, "linux-perf"},
	fuseDevice: {fuseDevice, isFile, ""},
}

func isFile(path string) bool { _, err := os.Stat(path); return err == nil }

func inPath(name string) bool { _, err := exec.LookPath(name); return err == nil }

func isUser(what string) bool {
	_, err := user.Lookup(strings.TrimPrefix(what, "user "))
	return err == nil
}

// Missing names, as an error, what the chosen benchmarks need and this machine has not,
// and the packages that bring it.
func (o Options) Missing() error {
	todo, err := o.chosen()
	if err != nil {
		return err
	}
	needs := slices.Clone(basics)
	if o.Profile {
		needs = append(needs, extras["perf"])
	}
	for _, w := range todo {
		if w.tool != "" {
			needs = append(needs, extras[w.tool])
		}
	}
	return lacking(needs)
}

func lacking(needs []need) error {
	var lack, packages []string
	swift := false
	for _, n := range needs {
		if n.there(n.what) || slices.Contains(lack, n.what) {
			continue
		}
		lack = append(lack, n.what)
		swift = swift || strings.Contains(n.from, "swift")
		if n.from != "" && !slices.Contains(packages, n.from) {
			packages = append(packages, n.from)
		}
	}
	if len(lack) == 0 {
		return nil
	}
	text := "the benchmarks lack " + strings.Join(lack, ", ")
	if swift {
		text = "Swift is not installed, and the benchmarks compare with it: there is no " + strings.Join(lack, ", ")
	}
	if len(packages) > 0 {
		text += fmt.Sprintf("\non Debian or Ubuntu: apt-get install --no-install-recommends %s", strings.Join(packages, " "))
	}
	return errors.New(text)
}
