package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/internal/cluster"
)

// plant puts an object of a size into each of so many partitions for which the
// node's device is a handoff.
func plant(t *testing.T, c *cluster.Cluster, n *cluster.Node, partitions, size int) {
	t.Helper()
	primaries, err := c.Primaries(within(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	done := map[int]bool{}
	for i := 0; len(done) < partitions; i++ {
		name := fmt.Sprintf("/AUTH_process/c/o%d", i)
		part := cluster.Partition(name, partPower)
		if i > 100000 {
			t.Fatalf("the ring has handoffs for %d partitions only", len(done))
		}
		if done[part] || slices.ContainsFunc(primaries[part], func(d cluster.Device) bool { return d.IP == n.IP }) {
			continue
		}
		done[part] = true
		dir := n.HashDir(n.Devices[0], 0, part, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "1700000000.00000.data"), cluster.Body(i, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.GiveToSwift(); err != nil {
		t.Fatal(err)
	}
}

// standIn makes a program of the name rsync that is found first.
func standIn(t *testing.T, script string) func(*exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "rsync"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return func(cmd *exec.Cmd) {
		for i, v := range cmd.Env {
			if path, ok := strings.CutPrefix(v, "PATH="); ok {
				cmd.Env[i] = "PATH=" + dir + ":" + path
			}
		}
	}
}
