package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/certtest"
	"understudy/internal/fleet"
	"understudy/internal/lab"
	"understudy/internal/observe/control"
)

const enough = time.Minute

// The test's own program is understudy-fleet when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_UNDERSTUDY_FLEET") != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TEST_UNDERSTUDY_FLEET=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// rig is a fleet of three nodes: real engines with their control sockets, and real agents,
// each a process of its own, with certificates.
type rig struct {
	*testing.T
	*lab.Cluster
	dir     string
	engines []*bootstrap.Engine
	agents  []*exec.Cmd
	conf    fleet.Conf
}

func newRig(t *testing.T) *rig {
	r := newNodes(t, map[string]string{"sync_method": "ssync", "interval": "1"})
	for i, n := range r.Nodes {
		r.engine(i, n.Config)
		r.agent(i, nil)
	}
	return r
}

// newNodes is the disks and servers of three nodes, and neither engines nor agents.
func newNodes(t *testing.T, options map[string]string) *rig {
	r := &rig{T: t, dir: t.TempDir(), agents: make([]*exec.Cmd, 3)}
	certtest.New(t).Write(r.dir, "machine", "127.0.0.1")
	r.conf = fleet.Conf{
		Listen: "127.0.0.1:0", Nodes: map[string]string{}, CA: r.path("ca.pem"), Cert: r.path("machine.pem"), Key: r.path("machine.key"),
	}
	c, err := lab.New(t.Context(), lab.Spec{Dir: r.mkdir("lab"), Nodes: 3, Disks: 1, Replicas: 3, PartPower: 4, Seed: 1, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r.Cluster = c
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) mkdir(name string) string {
	if err := os.Mkdir(r.path(name), 0o755); err != nil {
		r.Fatal(err)
	}
	return r.path(name)
}

func (r *rig) socket(i int) string { return r.path(fmt.Sprintf("s%d", i)) }

// engine runs a node's engine and shows it on a socket, until the end or until stop.
func (r *rig) engine(i int, c *config.Config) (stop func()) {
	e, err := bootstrap.New(bootstrap.Settings{Config: c, Log: zerolog.Nop()})
	if err != nil {
		r.Fatal(err)
	}
	r.engines = append(r.engines, e)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { _, _ = e.Run(ctx); ended <- struct{}{} }()
	views := control.New(control.Config{Engine: e, Socket: r.socket(i), Mode: 0o600, Log: zerolog.Nop()})
	go func() { views.Run(ctx); ended <- struct{}{} }()
	stop = sync.OnceFunc(func() { cancel(); <-ended; <-ended })
	r.Cleanup(stop)
	return stop
}

// agent starts a node's agent, on the port that it had before if it had one.
func (r *rig) agent(i int, admission *fleet.Admission) {
	r.Helper()
	name := fmt.Sprintf("n%d", i+1)
	c := r.conf
	c.Socket, c.Admission = r.socket(i), admission
	if was := r.conf.Nodes[name]; was != "" {
		c.Listen = was
	}
	cmd := command("agent", "--fleet", r.write(name, c))
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.agents[i] = cmd
	r.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		r.Fatal("the agent says nothing")
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "listening on "), ",")
	if _, _, err := net.SplitHostPort(address); err != nil {
		r.Fatalf("the agent says %q", lines.Text())
	}
	r.conf.Nodes[name] = address
}

func (r *rig) write(name string, c fleet.Conf) string {
	r.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(r.path(name+".json"), text, 0o644); err != nil {
		r.Fatal(err)
	}
	return r.path(name + ".json")
}

// run runs a command of an operator.
func (r *rig) run(args ...string) (out string, code int) {
	r.Helper()
	cmd := command(append(args, "--fleet", r.write("operator", r.conf))...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	limit := time.AfterFunc(enough, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	return text.String(), cmd.ProcessState.ExitCode()
}

// A fleet is looked at, loses a member, is looked at again in bounded time, and gets it
// back; then all nodes are paused in turn, and never two at once.
func TestFleet(t *testing.T) {
	r := newRig(t)
	out, code := r.run("status")
	if code != exitOK || strings.Count(out, "healthy") != 3 {
		t.Fatalf("status: %d\n%s", code, out)
	}
	if err := r.agents[1].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.agents[1].Wait()
	out, code = r.run("status", "--timeout", "1s")
	if code != exitFailing || strings.Count(out, "healthy") != 2 || !strings.Contains(out, "n2    no answer") {
		t.Errorf("status without n2: %d\n%s", code, out)
	}
	out, code = r.run("pause", "--rolling", "--for", "10ms", "n1", "n2")
	if code != exitFailed || !strings.Contains(out, "n1: goes on") || !strings.Contains(out, "n2: ask") {
		t.Errorf("rolling pause without n2: %d\n%s", code, out)
	}
	r.agent(1, nil)
	out, code = r.run("status", "--json")
	if code != exitOK || strings.Count(out, `"state":"healthy"`) != 3 {
		t.Errorf("status with n2 again: %d\n%s", code, out)
	}
	out, code = r.run("pause", "--rolling", "--for", "300ms")
	if code != exitOK || strings.Count(out, "goes on") != 3 {
		t.Errorf("rolling pause: %d\n%s", code, out)
	}
	r.oneAtATime()
}

// What happens on two nodes is told to whoever listens on another machine.
func TestEvents(t *testing.T) {
	r := newRig(t)
	cmd := command("events", "--fleet", r.write("operator", r.conf))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := make(chan string, 1000)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	again, limit := time.NewTicker(time.Second), time.After(enough)
	defer again.Stop()
	heard := map[string]bool{}
	for len(heard) < 2 {
		select {
		case <-again.C: // nobody tells when the nodes have taken the subscription
			for _, e := range r.engines[:2] {
				if _, err := e.Do(t.Context(), bootstrap.SetLimits{Reset: true}); err != nil {
					t.Fatal(err)
				}
			}
		case line, some := <-lines:
			if !some {
				t.Fatal("events ended")
			}
			if words := strings.Fields(line); len(words) > 3 && words[2] == "control" {
				heard[words[1]] = true
			}
		case <-limit:
			t.Fatalf("heard of %v", heard)
		}
	}
	if !heard["n1"] || !heard["n2"] {
		t.Errorf("heard of %v", heard)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range lines { // until the end
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// oneAtATime looks at what operators have done to each engine, by its events.
func (r *rig) oneAtATime() {
	r.Helper()
	type pause struct {
		begun, ended time.Time
		node         int
	}
	var all []pause
	for i, e := range r.engines {
		report, err := e.Report(r.Context())
		if err != nil {
			r.Fatal(err)
		}
		if report.Paused != nil {
			r.Errorf("node %d is left paused", i+1)
		}
		var open *pause
		for _, event := range report.Events {
			switch {
			case strings.HasPrefix(event.Subject, "pause the node"):
				open = &pause{begun: event.At, node: i + 1}
			case event.Subject == "resume the node" && open != nil:
				open.ended = event.At
				all = append(all, *open)
				open = nil
			}
		}
	}
	slices.SortFunc(all, func(a, b pause) int { return a.begun.Compare(b.begun) })
	if len(all) != 4 {
		r.Fatalf("%d pauses: %v", len(all), all)
	}
	for i := 1; i < len(all); i++ {
		if all[i].begun.Before(all[i-1].ended) {
			r.Errorf("two nodes were paused at once: %v", all)
		}
	}
	for _, p := range all[1:] {
		if p.ended.Sub(p.begun) < 300*time.Millisecond {
			r.Errorf("a pause of %s", p.ended.Sub(p.begun))
		}
	}
}

// An operator's mistakes.
func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"nonsense"}, "unknown command", exitUsage},
		{[]string{"pause", "--for", "1s"}, "--rolling", exitUsage},
		{[]string{"pause", "--rolling"}, "--for", exitUsage},
		{[]string{"status", "--fleet", "/nowhere"}, "no such file", exitFailed},
		{[]string{"events", "--fleet", "/nowhere"}, "no such file", exitFailed},
		{[]string{"status", "more"}, "unknown command", exitUsage},
	} {
		var out bytes.Buffer
		err := run(t.Context(), test.args, &out, &out)
		if err == nil || !strings.Contains(err.Error(), test.want) || exitCode(err) != test.code {
			t.Errorf("%v: %v (%d), want %q", test.args, err, exitCode(err), test.want)
		}
	}
}
