package faults

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

func TestMain(m *testing.M) {
	code := sick.Main(m, "/usr/bin/swift-object-server", "/usr/bin/python3", "/usr/bin/rsync", "unshare")
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

var (
	buildDir string
	build    = sync.OnceValues(func() (cluster.Program, error) {
		var err error
		if buildDir, err = os.MkdirTemp("", "understudy-bin-"); err != nil {
			return cluster.Program{}, err
		}
		if err := os.Chmod(buildDir, 0o755); err != nil {
			return cluster.Program{}, err
		}
		return cluster.Ours(context.Background(), buildDir, true)
	})
)

// ours is the program under test.
func ours(t *testing.T) cluster.Program {
	t.Helper()
	p, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// deadline bounds one test.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// aside bounds what is done after a test, when its own context has ended.
func aside(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
