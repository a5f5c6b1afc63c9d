package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"understudy/config"
)

// Every command has a page, every option is in one, and a formatter has nothing to
// complain of.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	if err := run([]string{"man", dir}, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range every(newRoot()) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dir, "man1", name))
		if err != nil {
			t.Error(err)
		}
		if cmd.RunE != nil && !cmd.HasSubCommands() && cmd.Name() != "version" && !bytes.Contains(page, []byte("Exit codes")) {
			t.Errorf("%s does not tell the exit codes", name)
		}
	}
	options, err := os.ReadFile(filepath.Join(dir, "man5", "understudy-config.5"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range config.Table() {
		if !bytes.Contains(options, []byte(`\fB`+roff(o.Name)+`\fR`)) {
			t.Errorf("%s is not in the page", o.Name)
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("groff is not installed")
		}
		t.Skip("PAGES NOT FORMATTED: groff is not installed")
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "man*", "*"))
	for _, page := range pages {
		if out, err := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z", page).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", filepath.Base(page), err, out)
		}
	}
	if err := run([]string{"man", filepath.Join(pages[0], "below")}, &bytes.Buffer{}, &bytes.Buffer{}); exitCode(err) != exitFailed {
		t.Error(err)
	}
}

// A shell can read what is made for it, and completes what a configuration names.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out bytes.Buffer
		if err := run([]string{"completion", shell}, &out, &out); err != nil || !strings.Contains(out.String(), "understudy") {
			t.Errorf("%s: %v", shell, err)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not installed: its script is not checked", shell)
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = &out
		if text, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, text)
		}
	}
	if err := run([]string{"completion", "csh"}, &bytes.Buffer{}, &bytes.Buffer{}); exitCode(err) != exitUsage {
		t.Error(err)
	}

	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, d := range []string{"node/sda", "node/sdb"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf := write("object-server.conf", "[DEFAULT]\ndevices = "+dir+"/node\n[object-replicator]\n")
	swift := write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = x\n[storage-policy:0]\nname = gold\ndefault = yes\n")
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"tree", "--config", conf, "sd"}, ""}, // no --swift-conf there: /etc/swift/swift.conf counts
		{[]string{"explain", "--config", conf, "--swift-conf", swift, "--policy", ""}, "0\tgold"},
		{[]string{"inspect", "ring", "--config", conf, "--swift-conf", swift, ""}, "0\tgold"},
		{[]string{"config", "reference", "--format", ""}, "markdown"},
		{[]string{"pause", ""}, "device"},
		{[]string{"explain", "--config", "/none", "--policy", ""}, ":4"},
	} {
		var out bytes.Buffer
		if err := run(append([]string{"__complete"}, c.words...), &out, &bytes.Buffer{}); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q: %v\n%s", c.words, err, out.String())
		}
	}
}
