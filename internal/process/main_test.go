package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// What these functions do cannot be undone, so each test runs this binary again
// as a child, which does the step that childStep names, in a process with several
// threads, then tells on file descriptor 3 what it has become, then waits until
// descriptor 4 ends.

const childStep = "PROCESS_TEST_STEP"

func TestMain(m *testing.M) {
	if step := os.Getenv(childStep); step != "" {
		child(step)
		return
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests change users and must be run by root")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// state is what a child has become, as the kernel sees it.
type state struct {
	Err     string
	Log     string
	PID     int
	Session int
	Dir     string
	Home    string
	TZ      string
	Zone    string
	Umask   string
	Threads []thread
	Late    []thread // made after the step
}

type thread struct {
	UID, GID, Groups string // as in /proc/self/status
	Nice, IOPriority int
}

func child(step string) {
	for range 6 {
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			ready <- true
			select {}
		}()
		<-ready
	}
	var s state
	var log bytes.Buffer
	l := zerolog.New(&log)
	name, argument, _ := strings.Cut(step, " ")
	var err error
	switch name {
	case "drop":
		err = DropPrivileges(argument)
	case "hygiene":
		syscall.Umask(0o077)
		err = Hygiene()
	case "utc":
		err = UseUTC()
	case "priority":
		var p Priority
		if err = json.Unmarshal([]byte(argument), &p); err == nil {
			SetPriority(l, os.Stdout, p)
		}
	case "redirect", "panic":
		err = RedirectStdio(argument == "keep")
		fmt.Println("on stdout")
		fmt.Fprintln(os.Stderr, "on stderr")
	}
	if err != nil {
		s.Err = err.Error()
	}
	s.Log = log.String()
	s.look()
	if err := json.NewEncoder(os.NewFile(3, "report")).Encode(s); err != nil {
		panic(err)
	}
	if _, err := io.Copy(io.Discard, os.NewFile(4, "wait")); err != nil {
		panic(err)
	}
	if name == "panic" {
		panic("last words")
	}
}

func (s *state) look() {
	s.PID = os.Getpid()
	s.Session, _ = unix.Getsid(0)
	s.Dir, _ = os.Readlink("/proc/self/cwd")
	s.Home, s.TZ = os.Getenv("HOME"), os.Getenv("TZ")
	s.Zone = time.Unix(0, 0).Format(time.RFC3339)
	s.Umask = status("/proc/self/status", "Umask")
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			panic(err)
		}
		s.Threads = append(s.Threads, threadState(tid))
	}
	made := make(chan int)
	for range len(tasks) + 1 { // so many locked threads cannot all be old ones
		go func() {
			runtime.LockOSThread()
			made <- unix.Gettid()
			select {}
		}()
	}
	for range len(tasks) + 1 {
		tid := <-made
		if !slices.ContainsFunc(tasks, func(t os.DirEntry) bool { return t.Name() == strconv.Itoa(tid) }) {
			s.Late = append(s.Late, threadState(tid))
		}
	}
	if len(s.Late) == 0 {
		panic("no new thread")
	}
}

func threadState(tid int) thread {
	file := fmt.Sprintf("/proc/self/task/%d/status", tid)
	t := thread{UID: status(file, "Uid"), GID: status(file, "Gid"), Groups: status(file, "Groups")}
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
	if err != nil {
		panic(err)
	}
	t.Nice = 20 - nice // as the system call has it
	io, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, uintptr(tid), 0)
	if errno != 0 {
		panic(errno)
	}
	t.IOPriority = int(io)
	return t
}

func status(file, key string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	return ""
}

// running is a child that has reported and waits.
type running struct {
	cmd    *exec.Cmd
	state  state
	hold   *os.File
	stdout *os.File
	stderr *os.File
}

// start runs a step in a child whose stdout and stderr are pipes, unless prepare
// says otherwise.
func start(t *testing.T, step string, prepare func(*exec.Cmd)) *running {
	t.Helper()
	r := &running{cmd: exec.Command("/proc/self/exe")}
	// The race detector would have each child sleep for a second at its end.
	r.cmd.Env = append(os.Environ(), childStep+"="+step, "TZ=Asia/Tokyo", "HOME=/unset", "GORACE=atexit_sleep_ms=0")
	pipe := func() (read, write *os.File) {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { read.Close(); write.Close() })
		return read, write
	}
	report, reportEnd := pipe()
	waitEnd, hold := pipe()
	out, outEnd := pipe()
	errs, errsEnd := pipe()
	r.hold, r.stdout, r.stderr = hold, out, errs
	r.cmd.ExtraFiles = []*os.File{reportEnd, waitEnd}
	r.cmd.Stdout, r.cmd.Stderr = outEnd, errsEnd
	if prepare != nil {
		prepare(r.cmd)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	for _, f := range []*os.File{reportEnd, waitEnd, outEnd, errsEnd} {
		f.Close()
	}
	if err := json.NewDecoder(report).Decode(&r.state); err != nil {
		t.Fatalf("step %s: read the child's report: %v", step, err)
	}
	return r
}

// finish lets the child end and returns its exit status.
func (r *running) finish() int {
	r.hold.Close()
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// become runs a step to its end.
func become(t *testing.T, step string, prepare func(*exec.Cmd)) (state, string) {
	t.Helper()
	r := start(t, step, prepare)
	if status := r.finish(); status != 0 {
		b, _ := io.ReadAll(r.stderr)
		t.Fatalf("step %s: status %d\n%s", step, status, b)
	}
	b, err := io.ReadAll(r.stdout)
	if err != nil {
		t.Fatal(err)
	}
	return r.state, string(b)
}
