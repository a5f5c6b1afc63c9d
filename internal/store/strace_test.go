package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestStraceChild is what TestSystemCalls runs under strace: it writes what the
// variable says, into an empty device.
func TestStraceChild(t *testing.T) {
	root := os.Getenv("STORE_STRACE_ROOT")
	if root == "" {
		t.Skip("only for TestSystemCalls")
	}
	b := newBench(t, func(o *Options) { o.Root, o.ReclaimAge = root, long })
	in, err := b.OpenIncoming(context.Background(), part, incoming)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for i, step := range []func() error{
		func() error { return putBody(in, "o", stamp(0), "body") },
		func() error { return post(in, "o", stamp(1)) },
		func() error { return remove(in, "o", stamp(2)) },
		func() error { return in.Commit(context.Background()) },
	} {
		// A mark between the steps: a call that fails and shows its argument.
		_, _ = os.Open(fmt.Sprintf("%s/sda/step-%d", root, i))
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

var straceLine = regexp.MustCompile(`^\d+ +(\w+)\((.*)\) += (-?\d+)`)

// The kernel is told in the order in which the seam was: what strace sees of a PUT, a
// POST, a DELETE and the end of a session.
func TestSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("this test needs strace (test/install.sh installs it): %v", err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "sda"), 0o755); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-y", "-s", "64", "-o", out,
		"-e", "trace=openat,mkdirat,write,fsetxattr,fsync,fdatasync,linkat,renameat,renameat2,unlinkat",
		os.Args[0], "-test.run=^TestStraceChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), "STORE_STRACE_ROOT="+root)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("strace: %v\n%s", err, text)
	}
	trace, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"mkdirat objects; mkdirat partition", // the locks
		"mkdirat SUFFIX; mkdirat HASH; openat O_TMPFILE; write file; fsetxattr file; fsetxattr file; fsync file; write hashes.invalid; linkat *.data; " +
			"fsync HASH; fsync SUFFIX; fsync partition; fsync objects; fsync device; write hashes.invalid",
		"openat O_TMPFILE; fsetxattr file; fsetxattr file; fsync file; write hashes.invalid; linkat *.meta; fsync HASH; fsync SUFFIX; write hashes.invalid",
		"openat O_TMPFILE; fsetxattr file; fsetxattr file; fsync file; write hashes.invalid; linkat *.ts; fsync HASH; fsync SUFFIX; write hashes.invalid; " +
			"unlinkat *.data; unlinkat *.meta",
		"fsync hashes.invalid; fsync partition",
	}
	got := steps(string(trace), root)
	if len(got) != len(want) {
		t.Fatalf("%d steps: %q\n%s", len(got), got, trace)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d:\ngot  %s\nwant %s", i, got[i], want[i])
		}
	}
}

// steps reads a trace: the calls that change something below a root, by step.
func steps(trace, root string) []string {
	named := regexp.MustCompile(`<([^>]*)>|"([^"]*)"`)
	var all []string
	var step []string
	begun := map[string]string{} // by thread: calls that another thread's interrupt in the trace
	for line := range strings.SplitSeq(trace, "\n") {
		thread, rest, _ := strings.Cut(line, " ")
		if part, cut := strings.CutSuffix(line, " <unfinished ...>"); cut {
			begun[thread] = part
			continue
		}
		if _, end, resumed := strings.Cut(rest, " resumed>"); resumed {
			line = begun[thread] + end
		}
		m := straceLine.FindStringSubmatch(line)
		if m == nil || !strings.Contains(line, root) && !strings.Contains(line, "#") {
			continue
		}
		call, arguments, failed := m[1], m[2], strings.HasPrefix(m[3], "-")
		if strings.Contains(arguments, "/step-") {
			all, step = append(all, strings.Join(step, "; ")), nil
			continue
		}
		if failed || !strings.Contains(arguments, root) {
			continue
		}
		names := named.FindAllStringSubmatch(arguments, -1)
		what := short(names[0][1])
		if strings.Contains(names[0][1], "/#") || strings.HasSuffix(names[0][1], "(deleted)") {
			what = "file"
		}
		switch call {
		case "openat":
			if !strings.Contains(arguments, "O_TMPFILE") {
				continue
			}
			what = "O_TMPFILE"
		case "mkdirat", "unlinkat", "linkat", "renameat", "renameat2":
			what = short(names[len(names)-1][2])
		}
		step = append(step, call+" "+what)
	}
	return append(all, strings.Join(step, "; "))
}
