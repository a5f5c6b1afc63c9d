package main

import (
	"flag"
	"runtime/debug"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output of the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"understudy": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "engine": engineCommand()},
	})
}

// exits N command args: the command ends with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args[0]) != 1 {
		ts.Fatalf("usage: exits N command [args]")
	}
	want := int(args[0][0] - '0')
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if err != nil {
		code = -1
		if e, ok := err.(interface{ ExitCode() int }); ok {
			code = e.ExitCode()
		}
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d (%v)", code, want, err)
	}
}

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.0"}
	if got := version(info); got != "understudy (devel) go1.26.0" {
		t.Error(got)
	}
	info.Main.Version = "v1.2.3"
	if got := version(info); got != "understudy v1.2.3 go1.26.0" {
		t.Error(got)
	}
	if got := version(nil); got != "understudy (unknown version)" {
		t.Error(got)
	}
}
