package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each command line goes to Swift's own program and to ours: the same words on the
// same streams with the same status, or the same start with the same options.

const stockProgram = "/usr/bin/swift-object-replicator"

type stockCase struct {
	Argv []string          `json:"argv"` // bytes as latin-1
	Env  map[string]string `json:"env,omitempty"`
}

type stockStart struct {
	Config    string   `json:"config"`
	Once      bool     `json:"once"`
	Verbose   bool     `json:"verbose"`
	Ignored   []string `json:"ignored"`
	Overrides []any    `json:"overrides"` // nil: Swift raised an exception
}

type stockResult struct {
	Status  int         `json:"status"`
	Stdout  string      `json:"stdout"`
	Stderr  string      `json:"stderr"`
	Started *stockStart `json:"started"`
}

// stockCases reads one command line a line, its words separated by bars.
func stockCases(t *testing.T, conf string) []stockCase {
	t.Helper()
	table, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	expand := strings.NewReplacer("CONF", conf, "DIR", filepath.Dir(conf))
	var cases []stockCase
	for line := range strings.Lines(string(table)) {
		words := []string{stockProgram}
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			words = append(words, strings.Split(expand.Replace(line), "|")...)
		}
		cases = append(cases, stockCase{Argv: latin1(words)})
	}
	for _, columns := range []string{"-5", "0", "1", "20", "22", "24", "25", "30", "41", "44", "45", "46", "47", "60", "79", "81", "100", "132", "200", "1000", "", "x", " 50 "} {
		cases = append(cases, stockCase{Argv: []string{"/opt/bin/other-name", "-h"}, Env: map[string]string{"COLUMNS": columns}})
	}
	return cases
}

func latin1(words []string) []string {
	out := slices.Clone(words)
	for i, w := range out {
		r := make([]rune, len(w))
		for j := range len(w) {
			r[j] = rune(w[j])
		}
		out[i] = string(r)
	}
	return out
}

func bytesOf(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func runStock(t *testing.T, cases []stockCase) []stockResult {
	t.Helper()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-W", "ignore", "testdata/stock.py")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift's program (is Swift installed?): %v\n%s", err, stderr.String())
	}
	var results []stockResult
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr.String())
	}
	if len(results) != len(cases) {
		t.Fatalf("%d answers to %d command lines", len(results), len(cases))
	}
	return results
}

func TestAsSwiftParses(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "object-server.conf")
	if err := os.WriteFile(conf, []byte("[object-replicator]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := stockCases(t, conf)
	for i, want := range runStock(t, cases) {
		c := cases[i]
		t.Run(strconv.Quote(bytesOf(join(c)))+c.Env["COLUMNS"], func(t *testing.T) {
			t.Setenv("COLUMNS", c.Env["COLUMNS"])
			argv := make([]string, len(c.Argv))
			for j, w := range c.Argv {
				argv[j] = bytesOf(w)
			}
			a, err := ParseArgs(argv)
			compareStop(t, err, want)
			if err == nil && want.Started != nil {
				compareStart(t, a, *want.Started)
			}
		})
	}
}

func join(c stockCase) string {
	s := ""
	for _, w := range c.Argv[1:] {
		s += w + " "
	}
	return s
}

func compareStop(t *testing.T, err error, want stockResult) {
	t.Helper()
	got := stockResult{}
	var stop *Stop
	if errors.As(err, &stop) {
		got = stockResult{Status: stop.Status, Stdout: stop.Stdout, Stderr: stop.Stderr}
	} else if err != nil {
		t.Fatalf("error %v is no *Stop", err)
	}
	wantStarted := want.Started != nil
	want.Started, want.Stdout, want.Stderr = nil, bytesOf(want.Stdout), bytesOf(want.Stderr)
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if started := err == nil; started != wantStarted {
		t.Errorf("started: %v, Swift: %v", started, wantStarted)
	}
}

func compareStart(t *testing.T, a Args, want stockStart) {
	t.Helper()
	if a.Config != want.Config || a.Once != want.Once || a.Verbose != want.Verbose || !slices.Equal(a.Ignored, want.Ignored) {
		t.Errorf("got %+v, want %+v", a, want)
	}
	o, err := a.Overrides(true)
	if (err != nil) != (want.Overrides == nil) {
		t.Fatalf("overrides: error %v, Swift's answer %v", err, want.Overrides)
	}
	if err != nil {
		return
	}
	got := []any{[]any{}, []any{}, []any{}}
	for _, d := range o.Devices {
		got[0] = append(got[0].([]any), d)
	}
	for _, p := range o.Partitions {
		got[1] = append(got[1].([]any), float64(p))
	}
	for _, p := range o.Policies {
		got[2] = append(got[2].([]any), float64(p))
	}
	if !reflect.DeepEqual(got, want.Overrides) {
		t.Errorf("overrides: got %v, want %v", got, want.Overrides)
	}
}

// The program itself, without the replaced run_daemon, on lines that end before
// anything is read or written.
func TestAsSwiftExits(t *testing.T) {
	for _, words := range [][]string{{}, {"-h"}, {"--p"}, {"/no/such"}, {"-x"}} {
		cmd := exec.Command(stockProgram, words...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "COLUMNS=80")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatalf("run %s: %v", stockProgram, err)
		}
		t.Setenv("COLUMNS", "80")
		_, err := ParseArgs(append([]string{stockProgram}, words...))
		compareStop(t, err, stockResult{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), nil})
	}
}
