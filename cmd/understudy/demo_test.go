package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"understudy/internal/lab"
)

// small is a demo that takes a moment.
func small(t *testing.T) *demo {
	return &demo{nodes: 2, disks: 2, objects: 30, seed: 4, dir: t.TempDir()}
}

func shortEnough(t *testing.T, text string) {
	t.Helper()
	if n := strings.Count(text, "\n"); n > demoLines || n < 5 {
		t.Errorf("%d lines", n)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > demoColumns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if running := mentioned(t, dir); len(running) > 0 {
		t.Errorf("still running: %q", running)
	}
}

// mentioned are the command lines of processes that mention a folder.
func mentioned(t *testing.T, dir string) (found []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err == nil && strings.Contains(string(line), dir) && !strings.HasPrefix(path, "/proc/self/") {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// The disk comes back, the command says so in a few lines and leaves nothing.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	err := run([]string{"demo", "--nodes", "2", "--disks", "2", "--objects", "30", "--seed", "9", "--dir", dir}, &out, &errs)
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%v\n%s%s", err, &out, &errs)
	}
	for _, want := range []string{
		"2 nodes × 2 disks", "seed 9", "30 objects", "90 copies", "comes back empty", "90 of 90 copies in place",
		"All copies are back: 0 lost, 0 wrong, 0 missing, 0 extra, 0 hash mismatches.", "Restored",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	shortEnough(t, out.String())
	isEmpty(t, dir)
	if t.Failed() {
		t.Log("\n" + out.String())
	}
}

// The demo can fail: damage that no engine repairs is told, with its place.
func TestDemoFindsDamage(t *testing.T) {
	for name, test := range map[string]struct {
		damage func(path string) error
		err    string
		out    string
	}{
		"bytes": {
			func(path string) error { return os.WriteFile(path, []byte("something else"), 0o644) },
			"demo failed: 0 lost, 1 wrong, 0 missing, 0 extra, 0 hash mismatches", "wrong: node ",
		},
		"a stray file": {
			func(path string) error { return os.WriteFile(path+".stray", nil, 0o644) },
			"1 extra", "extra: node ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := small(t)
			var spoiled string
			d.damage = func(c *lab.Cluster, h *lab.History) error {
				o := h.Objects[0]
				p := c.Primaries(o.Partition)[0]
				spoiled = filepath.Join(o.Dir(), o.Files[0].Name)
				err := test.damage(filepath.Join(p.Path(), spoiled))
				if errors.Is(err, fs.ErrNotExist) {
					return nil // not yet back
				}
				return err
			}
			var out bytes.Buffer
			err := d.run(t.Context(), &out, io.Discard)
			if exitCode(err) != exitFailed || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, exit code %d", err, exitCode(err))
			}
			if !strings.Contains(out.String(), test.out) || !strings.Contains(out.String(), spoiled) {
				t.Errorf("%s is not named:\n%s", spoiled, &out)
			}
			shortEnough(t, out.String()+err.Error()+"\n")
			isEmpty(t, d.dir)
		})
	}
}

// A cluster in which nothing is right is still told in few lines.
func TestDemoFailsBriefly(t *testing.T) {
	d := small(t)
	d.keep = true
	d.damage = func(c *lab.Cluster, _ *lab.History) error {
		for _, n := range c.Nodes {
			for _, disk := range n.Disks {
				if err := c.Lose(lab.Place{Node: n, Disk: disk}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var out bytes.Buffer
	err := d.run(t.Context(), &out, io.Discard)
	if exitCode(err) != exitFailed || !strings.Contains(err.Error(), "30 lost") {
		t.Error(err)
	}
	shortEnough(t, out.String()+err.Error()+"\n")
	if t.Failed() {
		t.Log("\n" + out.String())
	}
}

// --keep leaves a folder that can be looked at, and nothing running.
func TestDemoKeeps(t *testing.T) {
	d := small(t)
	d.keep = true
	var out bytes.Buffer
	if err := d.run(t.Context(), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	shortEnough(t, out.String())
	_, folder, ok := strings.Cut(out.String(), "kept: ")
	folder = strings.TrimSpace(folder)
	if !ok || filepath.Dir(folder) != d.dir {
		t.Fatalf("kept %q in %s", folder, d.dir)
	}
	for _, file := range []string{
		"etc/object.ring.gz", "etc/swift.conf", "cluster.log",
		"nodes/1/object-server.conf", "nodes/2/cache/object.recon", "srv/2/d1/objects",
	} {
		if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
			t.Error(err)
		}
	}
	if running := mentioned(t, d.dir); len(running) > 0 {
		t.Errorf("still running: %q", running)
	}
}

// A signal ends the demo and everything that it has started.
func TestDemoInterrupted(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Args = []string{"understudy", "demo", "--objects", "20000", "--dir", dir}
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		if _, err := lines.ReadString('\n'); err != nil { // the cluster runs now
			t.Fatal(err)
		}
		if n := len(mentioned(t, dir)); n != 1 { // the command, and no child
			t.Errorf("%d running: %q", n, mentioned(t, dir))
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, lines)
		err = cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || errs.String() != "interrupted\n" {
			t.Errorf("%s: %v, %s", signal, err, &errs)
		}
		isEmpty(t, dir)
	}
}

// An end in the middle of a round: engines, servers and all else stop.
func TestDemoInterruptedInRound(t *testing.T) {
	d := small(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.damage = func(*lab.Cluster, *lab.History) error { cancel(); return nil }
	if err := d.run(ctx, io.Discard, io.Discard); err == nil || err.Error() != "interrupted" {
		t.Error(err)
	}
	isEmpty(t, d.dir)
}

// The demo runs no other program: there is none.
func TestDemoNeedsNoProgram(t *testing.T) {
	d := small(t)
	t.Setenv("PATH", t.TempDir())
	var out bytes.Buffer
	if err := d.run(t.Context(), &out, io.Discard); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	isEmpty(t, d.dir)
}

func TestDemoFolder(t *testing.T) {
	if err := noXattrs("/tmp/somewhere"); !strings.Contains(err.Error(), "/tmp/somewhere cannot have user xattrs") || !strings.Contains(err.Error(), "--dir") {
		t.Error(err)
	}
	d := &demo{nodes: 1, disks: 3, objects: 1, dir: filepath.Join(t.TempDir(), "missing")}
	if err := d.run(t.Context(), io.Discard, io.Discard); exitCode(err) != exitFailed || !strings.Contains(err.Error(), d.dir) {
		t.Error(err)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1 << 62: "4.0 EiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for _, want := range []string{"1 copy", "2 copies", "0 hashes", "3 rsyncs"} {
		n, noun := int(want[0]-'0'), map[byte]string{'1': "copy", '2': "copy", '0': "hash", '3': "rsync"}[want[0]]
		if got := plural(n, noun); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
