package bench

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"understudy/internal/cluster"
)

const ourReplicator = "understudy/cmd/swift-object-replicator"

// programs are ours.
type programs struct {
	ours    cluster.Program
	serving cluster.Server // this executable, which also serves
	version string         // of the replicator
}

// findPrograms finds our replicator: the one that is named, or that lies beside this
// executable, or one that is built into a folder from the module in the current one.
func findPrograms(ctx context.Context, o Options, folder string) (programs, error) {
	self, err := os.Executable()
	if err != nil {
		return programs{}, fmt.Errorf("find this program: %w", err)
	}
	p := programs{serving: cluster.Server{Name: "ours", Path: self, Verb: "serve"}}
	beside := filepath.Join(filepath.Dir(self), "swift-object-replicator")
	switch {
	case o.Replicator != "":
		path, err := exec.LookPath(o.Replicator)
		if err != nil {
			return programs{}, fmt.Errorf("find our replicator: %w", err)
		}
		if path, err = filepath.Abs(path); err != nil {
			return programs{}, fmt.Errorf("find our replicator: %w", err)
		}
		p.ours, p.version = cluster.Program{Name: "ours", Path: path}, versionOf(path)
	case isOurs(beside):
		p.ours, p.version = cluster.Program{Name: "ours", Path: beside}, versionOf(beside)
	default:
		if p.ours, err = cluster.Ours(ctx, folder, false); err != nil {
			return programs{}, errors.Join(fmt.Errorf("there is no swift-object-replicator of ours beside %s; "+
				"--replicator names one, and in the module's folder one is built", self), err)
		}
		p.version = checkedOut()
	}
	return p, nil
}

// isOurs tells our replicator from Swift's, which has the same name.
func isOurs(path string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Path == ourReplicator
}

// versionOf is the commit that a program was built from, as far as it knows that.
func versionOf(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	commit := set["vcs.revision"]
	switch {
	case commit == "":
		return info.Main.Version
	case set["vcs.modified"] == "true":
		return commit[:min(7, len(commit))] + " with changes"
	default:
		return commit[:min(7, len(commit))]
	}
}

// checkedOut is what is checked out in the current folder, and whether anything but
// the page has been changed.
func checkedOut() string {
	commit := output("git", "describe", "--always", "--exclude", "*")
	if exec.Command("git", "diff", "--quiet", "HEAD", "--", ":!docs").Run() != nil {
		return commit + " with changes"
	}
	return commit
}
