// Command zoo shows that the tests have teeth: it builds them with bugs (internal/zoo),
// and for each bug runs the test that must find it. The test must fail with the bug,
// and pass in the same program without it. Run it in the root of the module.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// perTest bounds one run of one test.
const perTest = 5 * time.Minute

func main() {
	only := flag.String("only", "", "this bug alone")
	simulation := flag.Bool("simulated", false, "by campaigns of simulated clusters, those that they can find")
	flag.Parse()
	all := bugs
	if *simulation {
		all = bySimulation()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	missed, err := run(ctx, all, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "zoo:", err)
		os.Exit(2)
	}
	if missed > 0 {
		fmt.Printf("%d bugs were not found\n", missed)
		os.Exit(1)
	}
}

// run tries the bugs and counts those that are not found.
func run(ctx context.Context, bugs []bug, only string) (missed int, err error) {
	dir, err := os.MkdirTemp("", "understudy-zoo-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for the programs: %w", err)
	}
	defer os.RemoveAll(dir)
	tried := 0
	for _, b := range bugs {
		if only != "" && b.name != only {
			continue
		}
		tried++
		program, err := build(ctx, dir, b.pkg)
		if err != nil {
			return missed, err
		}
		said, err := b.verdict(ctx, program)
		if err != nil {
			return missed, err
		}
		if said != "" {
			missed++
			fmt.Printf("MISSED  %-18s %s\n", b.name, said)
			continue
		}
		fmt.Printf("found   %-18s by %s in %s\n", b.name, b.test, b.pkg)
	}
	if tried == 0 {
		return 0, fmt.Errorf("there is no bug %q", only)
	}
	fmt.Printf("%d bugs, %d found\n", tried, tried-missed)
	return missed, nil
}

// build makes the test program of a package, once.
func build(ctx context.Context, dir, pkg string) (string, error) {
	program := filepath.Join(dir, strings.ReplaceAll(pkg, "/", "_"))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "bugzoo", "-o", program, "./"+pkg).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the tests of %s: %w\n%s", pkg, err, out)
	}
	return program, nil
}

// verdict is why a bug counts as not found; empty when it was.
func (b *bug) verdict(ctx context.Context, program string) (string, error) {
	well, out, err := b.try(ctx, program, "")
	if err != nil {
		return "", err
	}
	if !well || !strings.Contains(out, "--- PASS: "+b.test+" ") {
		return fmt.Sprintf("%s does not pass without it:\n%s", b.test, out), nil
	}
	well, out, err = b.try(ctx, program, b.name)
	switch {
	case err != nil:
		return "", err
	case well:
		return fmt.Sprintf("%s passes with it", b.test), nil
	case !strings.Contains(out, "--- FAIL: "+b.test+" "):
		return fmt.Sprintf("%s has ended without a verdict:\n%s", b.test, out), nil
	}
	return "", nil
}

// try runs the test, with a bug or without, and tells whether all was well.
func (b *bug) try(ctx context.Context, program, name string) (bool, string, error) {
	ctx, cancel := context.WithTimeout(ctx, perTest)
	defer cancel()
	args := append([]string{"-test.run", "^" + b.test + "$", "-test.v", "-test.count", "1"}, b.args...)
	if name == "" && len(b.args) > 0 {
		args = append(args, "-sim.seeds=1") // the one that shows the bug
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = b.pkg
	cmd.Env = append(os.Environ(), "UNDERSTUDY_BUG="+name)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, "", fmt.Errorf("run %s with %q: %w", b.test, name, context.Cause(ctx))
	case err != nil && !errors.As(err, &exit):
		return false, "", fmt.Errorf("run %s with %q: %w", b.test, name, err)
	}
	return err == nil, string(out), nil
}
