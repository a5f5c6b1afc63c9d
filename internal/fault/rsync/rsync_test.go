package rsync

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"understudy/internal/fault"
	"understudy/internal/transport/rsync"
)

func injector(t *testing.T, plan string) *fault.Injector {
	t.Helper()
	p, err := fault.Parse(plan)
	if err != nil {
		t.Fatal(err)
	}
	return fault.NewInjector(p, nil).Seat("n1", func(host, _ string) string {
		return map[string]string{"10.0.0.2": "n2"}[host]
	})
}

// run runs a real process that gets a destination as its last argument.
func run(t *testing.T, faults *fault.Injector, script, to string) (code int, out string) {
	t.Helper()
	var b bytes.Buffer
	c := Spawner(faults, rsync.Processes{}).Start([]string{"sh", "-c", script, to}, &b)
	select {
	case <-c.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the process does not end")
	}
	code, err := c.Exit()
	if err != nil {
		t.Fatal(err)
	}
	return code, b.String()
}

func TestFaults(t *testing.T) {
	const n2 = "10.0.0.2::object/d1/objects/7"
	for _, test := range []struct {
		plan, script, to string
		code             int
		out              string
	}{
		{"rsync : exit 23", "echo hello", n2, 23, ""},
		{"rsync node=n1 peer=n2 module=object : exit 0", "exit 1", n2, 0, ""},
		{"rsync peer=n3 : exit 23", "echo hello", n2, 0, "hello\n"},
		{"rsync peer=n2 : exit 12", "true", "rsync://127.0.0.1:8873/10.0.0.2/d1/objects/7", 12, ""},
		{"rsync peer=fd00::1 module=m : exit 12", "true", "rsync://[fd00::1]/m/d1", 12, ""},
		{"rsync : killed", "echo hello; sleep 1000", n2, -9, "hello\n"},
		{"rsync : killed", "true", n2, -9, ""},
		{"rsync : partial", "echo 123456789", n2, 0, "12345"},
		{"rsync : delay 5ms", "echo hello; exit 3", n2, 3, "hello\n"},
		{"rsync : hang for=5ms", "true", n2, 30, ""},
	} {
		faults := injector(t, test.plan)
		code, out := run(t, faults, test.script, test.to)
		if code != test.code || out != test.out {
			t.Errorf("%s: exit %d, %q", test.plan, code, out)
		}
		if want := !strings.Contains(test.plan, "n3"); faults.Counts()[0].Fired > 0 != want {
			t.Errorf("%s: %+v", test.plan, faults.Counts())
		}
	}
}

// One that hangs ends when it is killed, as a process does.
func TestHangIsKilled(t *testing.T) {
	c := Spawner(injector(t, "rsync : hang"), rsync.Processes{}).Start([]string{"true", "a::b"}, &bytes.Buffer{})
	select {
	case <-c.Done():
		t.Fatal("it does not hang")
	default:
	}
	c.Kill()
	c.Kill()
	<-c.Done()
	if code, err := c.Exit(); code != -9 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
}

// Also one that has not been started yet: the process must not run afterwards.
func TestDelayIsKilled(t *testing.T) {
	var b bytes.Buffer
	c := Spawner(injector(t, "rsync : delay 1h"), rsync.Processes{}).Start([]string{"sh", "-c", "sleep 2; echo hello", "a::b"}, &b)
	c.Kill()
	<-c.Done()
	if code, _ := c.Exit(); code != -9 || b.Len() != 0 {
		t.Errorf("exit %d, %q", code, b.String())
	}
}

func TestNoInjectorIsNothingBetween(t *testing.T) {
	if s := Spawner(nil, rsync.Processes{}); s != (rsync.Processes{}) {
		t.Errorf("%T stands between", s)
	}
}

// The start and the end of an rsync are points of a process, by what it is for.
func TestPoints(t *testing.T) {
	for _, test := range []struct {
		plan string
		argv []string
		want string
	}{
		{"process op=rsync path=push : panic", []string{"sh", "-c", "echo pushed", "h::m/d"}, "panic, nothing was run"},
		{"process op=rsync path=push : panic done", []string{"sh", "-c", "echo pushed", "h::m/d"}, "panic after it"},
		{"process op=rsync path=proof : panic", []string{"sh", "-c", "echo pushed", "h::m/d"}, "went on"},
		{"process op=rsync path=proof : panic", []string{"sh", "-c", "echo", "--dry-run", "h::m/d"}, "panic, nothing was run"},
		{"process op=rsync path=list : panic done", []string{"sh", "-c", "echo", "--list-only", "h::m/d"}, "panic after it"},
	} {
		if got := struck(t, test.plan, test.argv); got != test.want {
			t.Errorf("%s with %v: %s, not %s", test.plan, test.argv, got, test.want)
		}
	}
}

func struck(t *testing.T, plan string, argv []string) (what string) {
	t.Helper()
	var b bytes.Buffer
	defer func() {
		switch r := recover(); {
		case r == nil:
			what = "went on"
		case b.Len() == 0:
			what = "panic, nothing was run"
		default:
			what = "panic after it"
		}
	}()
	c := Spawner(injector(t, plan), rsync.Processes{}).Start(argv, &b)
	<-c.Done()
	_, err := c.Exit()
	if err != nil {
		t.Error(err)
	}
	return ""
}
