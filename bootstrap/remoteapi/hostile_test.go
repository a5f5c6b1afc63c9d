package remoteapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"understudy/internal/admission"
	nodes "understudy/internal/observe/status"
	"understudy/messages/controlpb"
)

// A client with a valid certificate speaks the library's protocol itself and sends what
// would end the process, stop its actors or reach others through it. Each stream is closed,
// nothing of it arrives, and the node answers the next honest question.

// raw opens a stream by hand.
func raw(t *testing.T, address string, creds credentials.TransportCredentials) (remote.RemotingClient, remote.Remoting_ReceiveClient, error) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), enough)
	t.Cleanup(cancel)
	c := remote.NewRemotingClient(conn)
	stream, err := c.Receive(ctx)
	return c, stream, err
}

func connect(address string) *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
		ConnectionType: &remote.ConnectRequest_ServerConnection{ServerConnection: &remote.ServerConnection{SystemId: "mallory", Address: address}},
	}}}
}

func batch(b *remote.MessageBatch) *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: b}}
}

const hers = "127.0.0.1:1" // where Mallory says that she is

// letter is a batch of one message to an actor of the node.
func letter(to *actor.PID, m proto.Message, change ...func(*remote.MessageBatch)) *remote.RemoteMessage {
	data, _ := proto.Marshal(m)
	b := &remote.MessageBatch{
		TypeNames: []string{string(m.ProtoReflect().Descriptor().FullName())}, Targets: []*actor.PID{to},
		Senders: []*actor.PID{actor.NewPID(hers, "x")}, Envelopes: []*remote.MessageEnvelope{{MessageData: data, Sender: 1}},
	}
	for _, f := range change {
		f(b)
	}
	return batch(b)
}

func TestHostileMessages(t *testing.T) {
	ca := newAuthority(t)
	s := serve(t, Config{Address: "127.0.0.1", TLS: ca.Config("node", "127.0.0.1")})
	creds := credentials.NewTLS(ca.Config("mallory", "127.0.0.1"))
	facade, supervisor := actor.NewPID(s.Address(), FacadeName), actor.NewPID(s.Address(), s.pid.Id)
	victim := make(chan any, 100)
	other := s.system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if _, begun := c.Message().(*actor.Started); !begun {
			victim <- c.Message()
		}
	}))
	defer s.system.Root.Stop(other)
	ask := &controlpb.Request{Version: 1, Command: &controlpb.Request_RunPass{RunPass: &controlpb.RunPass{}}}
	envelope := func(f func(*remote.MessageEnvelope)) func(*remote.MessageBatch) {
		return func(b *remote.MessageBatch) { f(b.Envelopes[0]) }
	}
	mallory := actor.NewPID(hers, "x")
	for name, all := range map[string][]*remote.RemoteMessage{
		"stop the supervisor":       {connect(hers), letter(supervisor, &actor.Stop{})},
		"stop the facade":           {connect(hers), letter(facade, &actor.Stop{})},
		"poison the supervisor":     {connect(hers), letter(supervisor, &actor.PoisonPill{})},
		"poison the facade":         {connect(hers), letter(facade, &actor.PoisonPill{})},
		"watch the facade":          {connect(hers), letter(facade, &actor.Watch{Watcher: mallory})},
		"unwatch":                   {connect(hers), letter(facade, &actor.Unwatch{Watcher: mallory})},
		"terminated":                {connect(hers), letter(supervisor, &actor.Terminated{Who: other})},
		"activate a kind":           {connect(hers), letter(actor.NewPID(s.Address(), "activator"), &remote.ActorPidRequest{Kind: "no such kind"})},
		"an answer to nobody":       {connect(hers), letter(other, &controlpb.Reply{})},
		"a request to another":      {connect(hers), letter(other, ask)},
		"an event to a future":      {connect(hers), letter(actor.NewPID(s.Address(), "future$1"), &controlpb.Event{})},
		"through this node":         {connect(hers), letter(actor.NewPID("127.0.0.1:2", "someone"), ask)},
		"in another's name":         {connect(hers), letter(facade, ask, func(b *remote.MessageBatch) { b.Senders[0].Address = s.Address() })},
		"an unknown type":           {connect(hers), letter(facade, ask, func(b *remote.MessageBatch) { b.TypeNames[0] = "no.such.Type" })},
		"no type":                   {connect(hers), letter(facade, ask, func(b *remote.MessageBatch) { b.TypeNames = nil })},
		"a type index too large":    {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.TypeId = 7 }))},
		"a negative type index":     {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.TypeId = -1 }))},
		"a target index too large":  {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.Target = 1 }))},
		"a negative target index":   {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.Target = -1 }))},
		"a sender index too large":  {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.Sender = 2 }))},
		"a negative sender index":   {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.Sender = -1 }))},
		"another serializer":        {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.SerializerId = 1 }))},
		"no such serializer":        {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.SerializerId = 99 }))},
		"noise instead of a type":   {connect(hers), letter(facade, ask, envelope(func(e *remote.MessageEnvelope) { e.MessageData = []byte{0xff, 0xff, 0xff} }))},
		"before connecting":         {letter(facade, ask)},
		"connecting twice":          {connect(hers), connect(hers)},
		"with another's address":    {connect("192.0.2.7:80")},
		"with no address":           {connect("")},
		"as a client":               {{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{}}}},
		"an answer":                 {{MessageType: &remote.RemoteMessage_ConnectResponse{}}},
		"farewell":                  {{MessageType: &remote.RemoteMessage_DisconnectRequest{}}},
		"nothing":                   {{}},
		"more than there may be":    {connect(hers), letter(facade, &controlpb.Error{Message: string(make([]byte, mostRequest))})},
		"good and bad in one batch": {connect(hers), letter(facade, ask, func(b *remote.MessageBatch) { b.Envelopes = append(b.Envelopes, &remote.MessageEnvelope{TypeId: 3}) })},
	} {
		t.Run(name, func(t *testing.T) {
			_, stream, err := raw(t, s.Address(), creds)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range all {
				_ = stream.Send(m) // the node may have closed it already
			}
			for err == nil { // a connect response, and then the end
				_, err = stream.Recv()
			}
			if code := status.Code(err); !slices.Contains([]codes.Code{codes.PermissionDenied, codes.ResourceExhausted, codes.Unknown}, code) {
				t.Errorf("the stream ended with %v", err)
			}
		})
	}
	if r, err := Ask(t.Context(), s.system, facade, &controlpb.Request{Command: &controlpb.Request_GetStatus{}}); err != nil || r.GetStatus() == nil {
		t.Errorf("an honest question: %v, %v", r, err)
	}
	if n := len(s.told); n > 0 {
		t.Errorf("%d commands of hers were carried out: %v", n, s.told)
	}
	if n := len(victim); n > 0 {
		t.Errorf("another actor got %T", <-victim)
	}
	for _, pid := range []*actor.PID{s.pid, other, s.system.NewLocalPID(FacadeName), s.system.NewLocalPID("activator")} {
		if _, lives := s.system.ProcessRegistry.GetLocal(pid.Id); !lives {
			t.Errorf("%s is gone", pid.Id)
		}
	}
}

// Mallory asks for leases without end, each for another job of another process, and in the
// name of nobody else. What is kept of it is bounded, and others are answered.
func TestFloodOfReservations(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	s, a := owner(t, ca, AdmissionConfig{}, 0)
	a.leases.born = a.leases.born.Add(-time.Hour)
	_, stream, err := raw(t, s.Address(), credentials.NewTLS(ca.Config("mallory", "127.0.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	facade := actor.NewPID(s.Address(), FacadeName)
	flood := letter(facade, &controlpb.Request{})
	b := flood.GetMessageBatch()
	b.Envelopes = nil
	for i := range uint64(900) {
		m := reserve([]string{"sda", "sdb", fmt.Sprint("sd", i)}[i%3], strings.Repeat("x", 500)+fmt.Sprint(i), i+1, true)
		m.Version = controlpb.Version
		m.GetReserve().Lease.Epoch = i/450 + 1
		m.GetReserve().Waited = durationpb.New(time.Duration(i) * time.Hour)
		data, _ := proto.Marshal(m)
		b.Envelopes = append(b.Envelopes, &remote.MessageEnvelope{MessageData: data, Sender: 1})
	}
	for _, m := range []*remote.RemoteMessage{connect(hers), flood} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	slot := admission.Slot{Device: "sda"}
	until(t, "all of it is read", func() bool { l := a.leases.look(slot); return l.Held == 1 && l.Waiting >= 64 })
	c := client(t, Config{Address: "127.0.0.1", TLS: ca.Config("one", "127.0.0.1")})
	if got := verdictOn(c.mustAsk(t, s, reserve("sdb", "honest", 1, true))); got != "busy" {
		t.Errorf("an honest question: %s", got)
	}
	s.fake.mu.Lock()
	s.report.Devices = append(s.report.Devices, nodes.Device{Name: "sda"})
	s.fake.mu.Unlock()
	r := c.mustAsk(t, s, &controlpb.Request{Command: &controlpb.Request_GetStatus{}})
	if in := r.GetStatus().GetDevices()[0].GetIncoming(); in.GetHeld() != 1 || in.GetWaiting() != 64 {
		t.Errorf("%v", r)
	}
	if got := a.leases.look(admission.Slot{Device: "sd2"}); got != (admission.Load{}) {
		t.Errorf("a disk that is not here has %+v", got)
	}
}

// The library lets anybody list the actors of a process; in this version that ends it.
func TestHostileCalls(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	s := serve(t, Config{Address: "127.0.0.1", TLS: ca.Config("node", "127.0.0.1")})
	c, _, err := raw(t, s.Address(), credentials.NewTLS(ca.Config("mallory", "127.0.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListProcesses(t.Context(), &remote.ListProcessesRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("list processes: %v", err)
	}
	if _, err := c.GetProcessDiagnostics(t.Context(), &remote.GetProcessDiagnosticsRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("diagnose a process: %v", err)
	}
}

// Who has no certificate of the right authority gets no byte of an answer.
func TestStrangers(t *testing.T) {
	starts(t)
	ca, other := newAuthority(t), newAuthority(t)
	s := serve(t, Config{Address: "127.0.0.1", TLS: ca.Config("node", "127.0.0.1")})
	foreign := other.Config("mallory", "127.0.0.1")
	foreign.RootCAs = ca.Pool
	for name, creds := range map[string]credentials.TransportCredentials{
		"no TLS":              insecure.NewCredentials(),
		"no certificate":      credentials.NewTLS(&tls.Config{RootCAs: ca.Pool}),
		"another authority's": credentials.NewTLS(foreign),
	} {
		t.Run(name, func(t *testing.T) {
			_, stream, err := raw(t, s.Address(), creds)
			if err == nil {
				_ = stream.Send(connect(hers))
				var m *remote.RemoteMessage
				if m, err = stream.Recv(); err == nil {
					t.Fatalf("got %v", m)
				}
			}
			if status.Code(err) != codes.Unavailable {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// A server that takes the connection and says nothing costs a client its time limit, and
// so does an address where nobody listens, or one that knows no such facade.
func TestSilentServers(t *testing.T) {
	starts(t)
	_, c := pair(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, address := range []string{silent.Addr().String(), "127.0.0.1:1", "no address"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if r, err := c.Ask(ctx, address, &controlpb.Request{Command: &controlpb.Request_GetStatus{}}); err == nil {
			t.Errorf("%s answers %v", address, r)
		}
		cancel()
	}
}

// impostor is a server of the library's protocol that lies.
type impostor struct {
	remote.UnimplementedRemotingServer
	says []*remote.RemoteMessage
}

func (i impostor) Receive(stream remote.Remoting_ReceiveServer) error {
	for _, m := range i.says {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

// A server with a valid certificate says on a client's own stream what only clients say.
func TestHostileServer(t *testing.T) {
	starts(t)
	ca := newAuthority(t)
	c := client(t, Config{Address: "127.0.0.1", TLS: ca.Config("operator", "127.0.0.1")})
	for _, says := range [][]*remote.RemoteMessage{
		{letter(actor.NewPID(c.node.Address(), "EndpointSupervisor"), &actor.Stop{})},
		{{MessageType: &remote.RemoteMessage_ConnectResponse{ConnectResponse: &remote.ConnectResponse{}}}, letter(actor.NewPID(c.node.Address(), "activator"), &actor.PoisonPill{})},
		{{}},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		mallory := grpc.NewServer(grpc.Creds(credentials.NewTLS(ca.Config("mallory", "127.0.0.1"))))
		remote.RegisterRemotingServer(mallory, impostor{says: says})
		go func() { _ = mallory.Serve(l) }() // ends with Stop
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if r, err := c.Ask(ctx, l.Addr().String(), &controlpb.Request{Command: &controlpb.Request_GetStatus{}}); err == nil {
			t.Errorf("got %v", r)
		}
		cancel()
		mallory.Stop()
	}
	s := serve(t, Config{Address: "127.0.0.1", TLS: ca.Config("node", "127.0.0.1")})
	c.mustAsk(t, s, &controlpb.Request{Command: &controlpb.Request_GetStatus{}})
}
