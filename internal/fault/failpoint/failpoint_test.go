package failpoint

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
)

const planVariable = "FAILPOINT_TEST_PLAN"

func TestMain(m *testing.M) {
	if plan := os.Getenv(planVariable); plan != "" {
		victim(plan)
		return
	}
	os.Exit(m.Run())
}

// victim does two operations.
func victim(plan string) {
	p, err := fault.Parse(plan)
	if err != nil {
		panic(err)
	}
	i := fault.NewInjector(p, nil)
	for _, path := range []string{"objects/1/abc/1.data", "objects/2/abc/2.data"} {
		done := Reach(i, &fault.Event{Place: fault.Process, Device: "d1", Op: "remove", Path: path})
		os.Stdout.WriteString("removed " + path + "\n")
		done()
	}
	os.Stdout.WriteString("alive\n")
}

func TestPoints(t *testing.T) {
	for _, test := range []struct {
		plan   string
		said   int // lines
		signal syscall.Signal
		code   int
		stderr string
	}{
		{"process op=remove path=*.data : kill", 0, unix.SIGKILL, 0, ""},
		{"process op=remove : kill done", 1, unix.SIGKILL, 0, ""},
		{"process op=remove : kill nth=2", 1, unix.SIGKILL, 0, ""},
		{"process op=remove path=objects/2/*/* : kill done", 2, unix.SIGKILL, 0, ""},
		{"process device=d1 : exit 7", 0, 0, 7, ""},
		{"process device=d1 : exit 8 done nth=2", 2, 0, 8, ""},
		{"process : panic", 0, 0, 2, "fault plan: panic at remove of objects/1/abc/1.data"},
		{"process op=rename : kill", 3, 0, 0, ""},
	} {
		cmd := exec.Command(os.Args[0])
		var out, errs bytes.Buffer
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), planVariable+"="+test.plan), &out, &errs
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if got := strings.Count(out.String(), "\n"); got != test.said {
			t.Errorf("%s: %d lines, not %d", test.plan, got, test.said)
		}
		if test.signal != 0 && status.Signal() != test.signal || test.signal == 0 && status.ExitStatus() != test.code {
			t.Errorf("%s: ended with %v", test.plan, err)
		}
		if !strings.Contains(errs.String(), test.stderr) {
			t.Errorf("%s: %s", test.plan, errs.String())
		}
	}
}

func TestNoInjector(t *testing.T) {
	Reach(nil, &fault.Event{Place: fault.Process, Op: "remove"})()
}
