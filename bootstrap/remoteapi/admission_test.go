package remoteapi

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"understudy/bootstrap"
	"understudy/internal/admission"
	"understudy/internal/certtest"
	"understudy/messages"
	"understudy/messages/controlpb"
)

// owner is a node that keeps account: one push at a time into each disk.
func owner(t *testing.T, ca *certtest.Authority, c AdmissionConfig, port int) (*served, *Admission) {
	t.Helper()
	patience := c.Patience // more than may be, on a busy machine
	c.Patience = min(patience, mostPatience)
	if c.Find == nil {
		c.Find = func(messages.Node) string { return "" }
	}
	if c.In == 0 {
		c.In = 1
	}
	a, err := NewAdmission(c)
	if err != nil {
		t.Fatal(err)
	}
	a.c.Patience = max(a.c.Patience, patience)
	return serveWith(t, Config{Address: "127.0.0.1", Port: port, TLS: ca.Config("node", "127.0.0.1")}, a), a
}

func settled(t *testing.T, a *Admission) {
	t.Helper()
	time.Sleep(time.Until(a.leases.born.Add(a.leases.rules.Term / 2))) // nothing is granted before
}

func reserve(device, job string, try uint64, degraded bool) *controlpb.Request {
	return &controlpb.Request{Command: &controlpb.Request_Reserve{Reserve: &controlpb.Reserve{
		Device: device, Lease: &controlpb.Lease{Epoch: 7, Job: job, Try: try}, Degraded: degraded,
	}}}
}

func renewal(device, job string, try, ledger uint64) *controlpb.Request {
	return &controlpb.Request{Command: &controlpb.Request_Renew{Renew: &controlpb.Renew{
		Device: device, Lease: &controlpb.Lease{Epoch: 7, Job: job, Try: try}, Ledger: ledger,
	}}}
}

func release(device, job string, try uint64) *controlpb.Request {
	return &controlpb.Request{Command: &controlpb.Request_Release{Release: &controlpb.Release{
		Device: device, Lease: &controlpb.Lease{Epoch: 7, Job: job, Try: try},
	}}}
}

// verdictOn is one word for a reply.
func verdictOn(r *controlpb.Reply) string {
	switch {
	case r.GetError() != nil:
		return r.GetError().Code.String()
	case r.GetReleased() != nil:
		return "released"
	case r.GetReserved().GetGranted():
		return "granted"
	case r.GetReserved().GetRetryAfter().AsDuration() > 0:
		return "busy"
	}
	return "nothing"
}

// Two nodes ask for one disk, with a certificate each. What is one's the other can neither
// renew nor give back, and data that lacks a copy goes first.
func TestLeasesOnTheWire(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	s, a := owner(t, ca, AdmissionConfig{Term: time.Second}, 0)
	a.leases.rules.Term = time.Second
	one := client(t, Config{Address: "127.0.0.1", TLS: ca.Config("one", "127.0.0.1")})
	two := client(t, Config{Address: "127.0.0.1", TLS: ca.Config("two", "127.0.0.1")})
	if got := verdictOn(one.mustAsk(t, s, reserve("sda", "j", 1, true))); got != "busy" {
		t.Errorf("just after a start: %s", got)
	}
	settled(t, a)
	life := a.leases.life
	for i, step := range []struct {
		who  *Client
		says *controlpb.Request
		want string
	}{
		{one, reserve("sda", "j", 2, true), "granted"},
		{one, reserve("sda", "j", 2, true), "granted"}, // the same again
		{one, renewal("sda", "j", 2, life), "granted"},
		{two, renewal("sda", "j", 2, life), "NO_LEASE"},
		{two, release("sda", "j", 2), "NO_LEASE"},
		{one, renewal("sda", "j", 1, life), "NO_LEASE"},
		{one, renewal("sdb", "j", 2, life), "NO_LEASE"},
		{one, release("sda", "k", 2), "NO_LEASE"},
		{two, reserve("sda", "misplaced", 1, false), "busy"},
		{two, reserve("sda", "degraded", 2, true), "busy"},
		{two, reserve("sdb", "j", 3, false), "granted"}, // another disk
		{one, renewal("sda", "j", 2, life), "granted"},
		{one, release("sda", "j", 2), "released"},
		{one, release("sda", "j", 2), "NO_LEASE"},
		{two, reserve("sda", "misplaced", 4, false), "busy"}, // the other comes first
		{two, reserve("sda", "degraded", 5, true), "granted"},
	} {
		if got := verdictOn(step.who.mustAsk(t, s, step.says)); got != step.want {
			t.Errorf("step %d, %v: %s, want %s", i, step.says, got, step.want)
		}
	}
	st := one.mustAsk(t, s, &controlpb.Request{Command: &controlpb.Request_GetStatus{}})
	if st.GetStatus() == nil {
		t.Errorf("status: %v", st)
	}
	// two dies: it renews nothing, and one gets the disk with the end of the term.
	until(t, "the lease of a dead holder runs out", func() bool {
		return verdictOn(one.mustAsk(t, s, reserve("sda", "j", 9, true))) == "granted"
	})
	if got := verdictOn(two.mustAsk(t, s, renewal("sda", "degraded", 5, life))); got != "NO_LEASE" {
		t.Errorf("a lease that has run out is renewed: %s", got)
	}
}

func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(enough); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: never", what)
		}
	}
}

// Questions that make no sense are errors and change nothing.
func TestReservationsRefused(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	s, a := owner(t, ca, AdmissionConfig{}, 0)
	a.leases.born = a.leases.born.Add(-time.Hour)
	stock := serve(t, Config{Address: "127.0.0.1", TLS: ca.Config("node", "127.0.0.1")})
	c := client(t, Config{Address: "127.0.0.1", TLS: ca.Config("one", "127.0.0.1")})
	negative := reserve("sda", "j", 1, true)
	negative.GetReserve().Waited = durationpb.New(-time.Second)
	broken := reserve("sda", "j", 1, true)
	broken.GetReserve().Waited = &durationpb.Duration{Seconds: 1, Nanos: -1}
	epochless := reserve("sda", "j", 1, true)
	epochless.GetReserve().Lease.Epoch = 0
	other := reserve("sda", "j", 1, true)
	other.Version = 2
	for name, test := range map[string]struct {
		says *controlpb.Request
		want string
	}{
		"no device":           {reserve("", "j", 1, true), "UNKNOWN_NAME"},
		"another's device":    {reserve("sdz", "j", 1, true), "UNKNOWN_NAME"},
		"a path":              {reserve("../sda", "j", 1, true), "UNKNOWN_NAME"},
		"a long name":         {reserve(strings.Repeat("x", 1<<16), "j", 1, true), "UNKNOWN_NAME"},
		"no job":              {reserve("sda", "", 1, true), "REFUSED"},
		"a long job":          {reserve("sda", strings.Repeat("x", 513), 1, true), "REFUSED"},
		"no try":              {reserve("sda", "j", 0, true), "REFUSED"},
		"no epoch":            {epochless, "REFUSED"},
		"no reservation":      {&controlpb.Request{Command: &controlpb.Request_Reserve{}}, "UNKNOWN_NAME"},
		"negative wait":       {negative, "REFUSED"},
		"a wait of no kind":   {broken, "REFUSED"},
		"another version":     {other, "VERSION"},
		"renewal of nothing":  {renewal("sda", "j", 1, a.leases.life), "NO_LEASE"},
		"of a life to come":   {renewal("sda", "j", 1, a.leases.life+1), "NO_LEASE"},
		"of a life long gone": {renewal("sda", "j", 1, 1), "NO_LEASE"},
		"release of nothing":  {release("sda", "j", 1), "NO_LEASE"},
	} {
		if got := verdictOn(c.mustAsk(t, s, test.says)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if l := a.leases.look(admission.Slot{Device: "sda"}); l != (admission.Load{}) {
			t.Errorf("%s: left %+v", name, l)
		}
	}
	for _, m := range []*controlpb.Request{reserve("sda", "j", 1, true), renewal("sda", "j", 1, 1), release("sda", "j", 1)} {
		if got := verdictOn(c.mustAsk(t, stock, m)); got != "NOT_OFFERED" {
			t.Errorf("a node without: %s", got)
		}
	}
}

func push(device string, part uint32) messages.PushAsk {
	return messages.PushAsk{
		Partition: messages.Partition{Device: "sda", Number: part}, Node: messages.Node{Device: device, ReplicationIP: "10.0.0.9"}, Degraded: true,
	}
}

func loadOf(a *Admission, d admission.Direction) int {
	return a.leases.look(admission.Slot{Device: "sda", Direction: d}).Held
}

// A push holds a lease of either disk until it ends, over a restart of the owner, and a
// disk that is taken costs the own disk nothing.
func TestAdmissionAsks(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	settings := AdmissionConfig{Term: 900 * time.Millisecond, Out: 5, Patience: 5 * time.Second}
	s, to := owner(t, ca, settings, 0)
	_, text, _ := net.SplitHostPort(s.Address())
	port, _ := strconv.Atoi(text)
	settings.Find = func(messages.Node) string { return s.Address() }
	_, from := owner(t, ca, settings, 0)
	settled(t, to)
	if !from.Asks(messages.Node{}) {
		t.Fatal("nobody is asked")
	}
	end, err := from.Reserve(t.Context(), push("sda", 1))
	if err != nil || loadOf(from, admission.Out) != 1 || loadOf(to, admission.In) != 1 {
		t.Fatalf("%v, %d out, %d in", err, loadOf(from, admission.Out), loadOf(to, admission.In))
	}
	var busy *messages.BusyError
	if _, err := from.Reserve(t.Context(), push("sda", 2)); !errors.As(err, &busy) || loadOf(from, admission.Out) != 1 {
		t.Errorf("a second push: %v", err)
	}
	if _, err := from.Reserve(t.Context(), push("sdz", 3)); err == nil || errors.As(err, &busy) || !from.Asks(messages.Node{}) {
		t.Errorf("a disk that the owner does not know: %v", err)
	}
	time.Sleep(2 * settings.Term) // it is renewed
	if loadOf(from, admission.Out) != 1 || loadOf(to, admission.In) != 1 {
		t.Fatalf("%d out, %d in after two terms", loadOf(from, admission.Out), loadOf(to, admission.In))
	}
	if err := s.Stop(); err != nil { // the owner's process ends and is back
		t.Fatal(err)
	}
	settings.Term = 10 * time.Second // the window in which leases of before count
	_, again := owner(t, ca, settings, port)
	until(t, "the lease is known to the owner that is back", func() bool { return loadOf(again, admission.In) == 1 })
	end()
	end()
	until(t, "all is given back", func() bool { return loadOf(from, admission.Out) == 0 && loadOf(again, admission.In) == 0 })
}

// All who ask a peer that does not answer wait for one timeout together, and nobody asks
// it again for a while. Peers that keep no account, or are none, cost nothing.
func TestAdmissionLeavesTheSilentAlone(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stock := serve(t, Config{Address: "127.0.0.1", TLS: ca.Config("node", "127.0.0.1")})
	at := map[string]string{"silent": silent.Addr().String(), "stock": stock.Address(), "gone": "127.0.0.1:1"}
	_, a := owner(t, ca, AdmissionConfig{
		Out: 50, Patience: 300 * time.Millisecond, Quiet: time.Hour,
		Find: func(n messages.Node) string { return at[n.Meta] },
	}, 0)
	for name := range at {
		var all sync.WaitGroup
		for part := range uint32(20) {
			all.Go(func() {
				ask := push("sda", part)
				ask.Node.Meta = name
				if _, err := a.Reserve(t.Context(), ask); err == nil {
					t.Errorf("%s: granted", name)
				}
			})
		}
		all.Wait()
		if a.Asks(messages.Node{Meta: name}) {
			t.Errorf("%s is asked again", name)
		}
		ask := push("sda", 99)
		ask.Node.Meta = name
		if _, err := a.Reserve(t.Context(), ask); !errors.Is(err, errUnasked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a.Asks(messages.Node{Meta: "no member"}) {
		t.Error("one who is no member is asked")
	}
	if n := loadOf(a, admission.Out); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	a.at().peers.rest = 0
	for _, p := range a.at().peers.by {
		p.until = time.Now()
	}
	if !a.Asks(messages.Node{Meta: "silent"}) {
		t.Error("nobody is ever asked again")
	}
}

// A job that ends while it asks does not make its peer a silent one.
func TestAdmissionOfAJobThatEnds(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, a := owner(t, ca, AdmissionConfig{Find: func(messages.Node) string { return silent.Addr().String() }, Patience: time.Minute}, 0)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := a.Reserve(ctx, push("sda", 1)); err == nil || !a.Asks(messages.Node{}) {
		t.Errorf("%v, asks %v", err, a.Asks(messages.Node{}))
	}
}

func TestNewAdmissionRefuses(t *testing.T) {
	for _, c := range []AdmissionConfig{{In: -1}, {Out: -1}, {Term: -1}, {Term: time.Millisecond}, {Term: 2 * time.Hour}, {Patience: -1}, {Patience: time.Minute}, {Quiet: -1}, {Again: -1}} {
		if _, err := NewAdmission(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	a, _ := NewAdmission(AdmissionConfig{})
	if a.Asks(messages.Node{}) {
		t.Error("somebody is asked before anything is served")
	}
	if _, err := a.Reserve(t.Context(), push("sda", 1)); err == nil {
		t.Error("granted before anything is served")
	}
	if err := a.open(nil, nil); err == nil {
		t.Error("an engine without disks")
	}
	if err := a.open(nil, &fake{}); err == nil {
		t.Error("nobody tells where nodes are")
	}
	var _ Owner = (*bootstrap.Engine)(nil)
}
