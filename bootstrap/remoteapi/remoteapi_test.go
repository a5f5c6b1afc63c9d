package remoteapi

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"understudy/bootstrap"
	"understudy/messages"
	"understudy/messages/controlpb"
)

// pair is a node and a client that has a certificate.
func pair(t *testing.T) (*served, *Client) {
	ca := newAuthority(t)
	s := serve(t, Config{Address: "127.0.0.1", TLS: ca.Config("node", "127.0.0.1")})
	return s, client(t, Config{Address: "127.0.0.1", TLS: ca.Config("operator", "127.0.0.1")})
}

func (c *Client) mustAsk(t *testing.T, s *served, m *controlpb.Request) *controlpb.Reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	r, err := c.Ask(ctx, s.Address(), m)
	if err != nil {
		t.Fatalf("%v: %v\n%s", m, err, s.log)
	}
	return r
}

func TestCommands(t *testing.T) {
	starts(t)
	s, c := pair(t)
	day := 24 * time.Hour
	jobs := 7
	for _, test := range []struct {
		request *controlpb.Request
		want    bootstrap.Command
	}{
		{&controlpb.Request{Command: &controlpb.Request_RunPass{RunPass: &controlpb.RunPass{Device: "sda"}}}, bootstrap.RunPass{Device: "sda"}},
		{
			&controlpb.Request{Command: &controlpb.Request_Pause{Pause: &controlpb.Pause{Scope: controlpb.Scope_PEER, Name: "10.0.0.1", For: durationpb.New(day)}}},
			bootstrap.PauseCommand{Scope: bootstrap.ScopePeer, Name: "10.0.0.1", For: day},
		},
		{
			&controlpb.Request{Command: &controlpb.Request_Resume{Resume: &controlpb.Resume{Scope: controlpb.Scope_NODE}}},
			bootstrap.ResumeCommand{Scope: bootstrap.ScopeNode},
		},
		{
			&controlpb.Request{Command: &controlpb.Request_SetLimits{SetLimits: &controlpb.SetLimits{Jobs: proto.Int64(7), FromConfiguration: true}}},
			bootstrap.SetLimits{Jobs: &jobs, Reset: true},
		},
		{
			&controlpb.Request{Command: &controlpb.Request_SetProfile{SetProfile: &controlpb.SetProfile{Profile: "drain", Persist: true}}},
			bootstrap.SetProfile{Profile: "drain", Persist: true},
		},
		{
			&controlpb.Request{Command: &controlpb.Request_Front{Front: &controlpb.Front{Policy: 1, Partitions: []uint32{3, 4}}}},
			bootstrap.Front{Policy: 1, Partitions: []uint32{3, 4}},
		},
	} {
		r := c.mustAsk(t, s, test.request)
		if r.GetDone().GetMessage() != "done" || r.GetDone().GetCount() != 3 {
			t.Errorf("%v: %v", test.request, r)
		}
		got, _ := json.Marshal(s.told[len(s.told)-1])
		want, _ := json.Marshal(test.want)
		if string(got) != string(want) {
			t.Errorf("%v: told %s, want %s", test.request, got, want)
		}
	}
	if p := s.told[1].(bootstrap.PauseCommand); p.For != day {
		t.Errorf("a pause of %s", p.For)
	}
}

func TestStatus(t *testing.T) {
	starts(t)
	s, c := pair(t)
	r := c.mustAsk(t, s, &controlpb.Request{Command: &controlpb.Request_GetStatus{GetStatus: &controlpb.GetStatus{}}})
	if got := r.GetStatus(); got.GetState() != "healthy" || got.GetNode() != "node \uFFFD" || got.GetReportJson() != nil {
		t.Errorf("status: %v", r)
	}
	r = c.mustAsk(t, s, &controlpb.Request{Command: &controlpb.Request_GetStatus{GetStatus: &controlpb.GetStatus{Full: true}}})
	var full bootstrap.Report
	if err := json.Unmarshal(r.GetStatus().GetReportJson(), &full); err != nil || full.Verdict.State != "healthy" {
		t.Errorf("report: %v", err)
	}
}

func TestErrors(t *testing.T) {
	starts(t)
	s, c := pair(t)
	pause := func(p *controlpb.Pause) *controlpb.Request {
		return &controlpb.Request{Command: &controlpb.Request_Pause{Pause: p}}
	}
	for _, test := range []struct {
		request *controlpb.Request
		want    controlpb.Error_Code
	}{
		{&controlpb.Request{}, controlpb.Error_REFUSED},
		{&controlpb.Request{Version: 2, Command: &controlpb.Request_GetStatus{}}, controlpb.Error_VERSION},
		{&controlpb.Request{Version: 2, Command: &controlpb.Request_Subscribe{}}, controlpb.Error_VERSION},
		{pause(&controlpb.Pause{Scope: controlpb.Scope_DEVICE, Name: "nope"}), controlpb.Error_UNKNOWN_NAME},
		{pause(&controlpb.Pause{Scope: controlpb.Scope_NODE, For: durationpb.New(-time.Second)}), controlpb.Error_REFUSED},
		{pause(&controlpb.Pause{Scope: controlpb.Scope_NODE, For: &durationpb.Duration{Seconds: 1 << 60}}), controlpb.Error_REFUSED},
		{&controlpb.Request{Command: &controlpb.Request_Retry{Retry: &controlpb.Retry{}}}, controlpb.Error_UNAVAILABLE}, // panics
		{&controlpb.Request{Command: &controlpb.Request_SetLimits{}}, controlpb.Error_CODE_UNSPECIFIED},
	} {
		r := c.mustAsk(t, s, test.request)
		if e := r.GetError(); e.GetCode() != test.want {
			t.Errorf("%v: %v", test.request, r)
		}
	}
	s.fake.mu.Lock()
	s.err = errEngine
	s.fake.mu.Unlock()
	r := c.mustAsk(t, s, &controlpb.Request{Command: &controlpb.Request_GetStatus{}})
	if e := r.GetError(); e.GetCode() != controlpb.Error_UNAVAILABLE || e.GetMessage() != errEngine.Error() {
		t.Errorf("an engine that does not run: %v", r)
	}
}

// A facade asks its engine sixteen things at once, and no more.
func TestTooMany(t *testing.T) {
	starts(t)
	s, c := pair(t)
	hold := make(chan struct{})
	s.fake.mu.Lock()
	s.hold = hold
	s.fake.mu.Unlock()
	const all = mostAtWork + 5
	answers := make(chan *controlpb.Reply, all)
	for range all {
		go func() {
			r, err := c.Ask(t.Context(), s.Address(), &controlpb.Request{Command: &controlpb.Request_GetStatus{}})
			if err != nil {
				t.Error(err)
			}
			answers <- r
		}()
	}
	for range 5 {
		if r := <-answers; r.GetError().GetCode() != controlpb.Error_TOO_MANY {
			t.Errorf("one too many: %v", r)
		}
	}
	close(hold)
	for range mostAtWork {
		if r := <-answers; r.GetStatus() == nil {
			t.Errorf("one of sixteen: %v", r)
		}
	}
}

// Events come while a subscription lasts, and only those of the engine.
func TestEvents(t *testing.T) {
	starts(t)
	s, c := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan *controlpb.Event, 1000)
	ended := make(chan error, 1)
	go func() { ended <- c.Events(ctx, s.Address(), func(e *controlpb.Event) { got <- e }) }()
	tell := func(kind string) {
		s.system.EventStream.Publish(&messages.Happened{Engine: s.pid, Event: messages.SupervisionEvent{Kind: kind, Actor: "sda"}})
	}
	var first *controlpb.Event
	for end := time.After(enough); first == nil; { // until the subscription has arrived
		tell("device")
		select {
		case first = <-got:
		case <-time.After(10 * time.Millisecond):
		case <-end:
			t.Fatal("no event")
		}
	}
	if first.Kind != "device" || first.Subject != "sda" {
		t.Errorf("event: %v", first)
	}
	s.system.EventStream.Publish(&messages.Happened{Engine: s.system.NewLocalPID("another"), Event: messages.SupervisionEvent{Kind: "foreign"}})
	for range 1000 { // a storm: most are not sent, and that is told
		tell("storm")
	}
	storm, missed := 0, uint64(0)
	for end := time.After(enough); missed == 0; {
		select {
		case e := <-got:
			switch e.Kind {
			case "storm":
				storm++
			case "foreign":
				t.Error("an event of another engine")
			}
			missed += e.Missed
		case <-time.After(50 * time.Millisecond):
			tell("after")
		case <-end:
			t.Fatal("nothing missed")
		}
	}
	if storm > 2*eventBurst {
		t.Errorf("%d events of a storm were sent", storm)
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Error(err)
	}
}

func TestConfigRefused(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	good := ca.Config("node", "127.0.0.1")
	without := func(change func(*Config)) Config {
		c := Config{Address: "127.0.0.1", TLS: good.Clone()}
		change(&c)
		return c
	}
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Address: "127.0.0.1"}, "no TLS"},
		{Config{Address: "10.1.2.3", Insecure: true}, "no loopback address"},
		{without(func(c *Config) { c.Address = "0.0.0.0" }), "every address"},
		{without(func(c *Config) { c.Address = "::" }), "every address"},
		{without(func(c *Config) { c.Address = "" }), "no IP address"},
		{without(func(c *Config) { c.Address = "localhost" }), "no IP address"},
		{without(func(c *Config) { c.Address = "8.8.8.8" }), "no private address"},
		{without(func(c *Config) { c.Port = 70000 }), "no port"},
		{without(func(c *Config) { c.Insecure = true }), "both TLS and Insecure"},
		{without(func(c *Config) { c.TLS.ClientCAs = nil }), "ClientCAs"},
		{without(func(c *Config) { c.TLS.RootCAs = nil }), "RootCAs"},
		{without(func(c *Config) { c.TLS.Certificates = nil }), "no certificate"},
		{without(func(c *Config) { c.TLS.InsecureSkipVerify = true }), "does not verify"},
	} {
		n, err := Start(quietSystem(), test.config)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.config, err, test.want)
		}
		if n != nil {
			t.Errorf("%+v has been started", test.config)
		}
	}
	taken := serve(t, Config{Address: "127.0.0.1", Insecure: true})
	var port int
	if _, p, ok := strings.Cut(taken.Address(), ":"); ok {
		for _, d := range p {
			port = port*10 + int(d-'0')
		}
	}
	if _, err := Start(quietSystem(), Config{Address: "127.0.0.1", Port: port, Insecure: true}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a port that is taken: %v", err)
	}
}

// Two facades of two engines in one program.
func TestTwoFacades(t *testing.T) {
	starts(t)
	s, _ := pair(t)
	second := &fake{pid: s.pid, report: &bootstrap.Report{}}
	if _, err := s.Serve(second, ""); err == nil {
		t.Error("one name for two facades")
	}
	if _, err := s.Serve(second, "second"); err != nil {
		t.Error(err)
	}
}
