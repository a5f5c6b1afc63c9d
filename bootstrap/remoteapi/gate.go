package remoteapi

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// How fast a stream may bring messages. What comes faster waits in its connection.
const (
	messageRate  = 500 // a second
	messageBurst = 1000
)

// gate stands between the network and the library's remoting.
type gate struct {
	system  *actor.ActorSystem
	log     zerolog.Logger
	streams atomic.Int32
	ends    context.Context // ends when the node is stopped: no connection is waited for
	end     context.CancelFunc

	mu   sync.RWMutex
	open map[string]map[string]bool // types by the id of the actor that may get them
}

func newGate(system *actor.ActorSystem, log zerolog.Logger) *gate {
	g := &gate{system: system, log: log, open: map[string]map[string]bool{}}
	g.ends, g.end = context.WithCancel(context.Background())
	return g
}

// futures stands for the actors of the library that wait for one answer.
const futures = "future"

// admit lets types through to an actor.
func (g *gate) admit(id string, types ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[id] == nil {
		g.open[id] = map[string]bool{}
	}
	for _, t := range types {
		g.open[id][t] = true
	}
}

// shut lets nothing through to an actor any more.
func (g *gate) shut(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, id)
}

func (g *gate) admits(id, typeName string) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.open[id][typeName] {
		return true
	}
	return strings.HasPrefix(id, futures) && !strings.Contains(id, "/") && g.open[futures][typeName]
}

// unary refuses every call: the library has two, which list the actors of a process and
// look into them, and end the process instead.
func (g *gate) unary(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
	return nil, status.Error(codes.PermissionDenied, "not here")
}

// stream runs a stream that a peer has opened.
func (g *gate) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	if g.streams.Add(1) > streamsInAll {
		g.streams.Add(-1)
		return status.Error(codes.ResourceExhausted, "too many streams")
	}
	defer g.streams.Add(-1)
	defer func() {
		if r := recover(); r != nil {
			g.log.Error().Str("method", info.FullMethod).Interface("panic", r).Bytes("stack", debug.Stack()).Msg("remoting panicked")
			err = status.Error(codes.Internal, "panic")
		}
	}()
	return handle(srv, &received{ServerStream: s, gate: g, pace: rate.NewLimiter(messageRate, messageBurst)})
}

// received is a stream of which only what the gate admits is read.
type received struct {
	grpc.ServerStream
	gate    *gate
	pace    *rate.Limiter
	address string // of the peer's own actors, once it has told
}

// RecvMsg implements grpc.ServerStream.
func (s *received) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	err := s.judge(m)
	if err == nil {
		return nil
	}
	who, _ := peer.FromContext(s.Context())
	s.gate.log.Warn().Err(err).Str("from", fmt.Sprint(who.Addr)).Str("certificate", nameOf(certificate(s.Context()))).Msg("remoting refused a peer's message")
	return status.Error(codes.PermissionDenied, err.Error())
}

func (s *received) judge(m any) error {
	r, ok := m.(*remote.RemoteMessage)
	if !ok {
		return fmt.Errorf("%T", m)
	}
	switch t := r.MessageType.(type) {
	case *remote.RemoteMessage_ConnectRequest:
		return s.connects(t.ConnectRequest)
	case *remote.RemoteMessage_MessageBatch:
		clean, err := s.sift(t.MessageBatch)
		t.MessageBatch = clean
		return err
	}
	return fmt.Errorf("a message of type %T", r.MessageType)
}

// connects takes the address to which answers go. It must be the peer's: else anybody
// could have this program call others.
func (s *received) connects(c *remote.ConnectRequest) error {
	address := c.GetServerConnection().GetAddress()
	host, _, err := net.SplitHostPort(address)
	switch {
	case s.address != "":
		return fmt.Errorf("a second connect request")
	case err != nil:
		return fmt.Errorf("a connect request without an address: %w", err)
	case !belongs(s.Context(), host):
		return fmt.Errorf("a connect request with the address %s of somebody else", address)
	}
	s.address = address
	return nil
}

// belongs tells whether a peer may say that it is found at a host: its certificate says
// so, too, or it comes from there.
func belongs(ctx context.Context, host string) bool {
	if c := certificate(ctx); c != nil && c.VerifyHostname(host) == nil {
		return true
	}
	who, ok := peer.FromContext(ctx)
	if !ok {
		return false
	}
	from, _, err := net.SplitHostPort(who.Addr.String())
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.Equal(net.ParseIP(from))
}

func certificate(ctx context.Context) *x509.Certificate {
	who, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := who.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return nil
	}
	return info.State.PeerCertificates[0]
}

func nameOf(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	return c.Subject.CommonName
}

// sift makes a batch anew from what is admitted, and refuses one that has anything else:
// then the library reads nothing that a stranger has chosen.
func (s *received) sift(b *remote.MessageBatch) (*remote.MessageBatch, error) {
	if s.address == "" {
		return nil, fmt.Errorf("messages before a connect request")
	}
	clean := &remote.MessageBatch{TypeNames: b.TypeNames, Senders: b.Senders}
	for _, from := range b.Senders {
		if from.GetAddress() != s.address {
			return nil, fmt.Errorf("a message in the name of %s", from)
		}
	}
	own := s.gate.system.Address()
	for _, t := range b.Targets {
		clean.Targets = append(clean.Targets, &actor.PID{Address: own, Id: t.GetId()})
	}
	for _, e := range b.Envelopes {
		switch {
		case e.TypeId < 0 || int(e.TypeId) >= len(b.TypeNames):
			return nil, fmt.Errorf("type index %d of %d", e.TypeId, len(b.TypeNames))
		case e.Target < 0 || int(e.Target) >= len(b.Targets):
			return nil, fmt.Errorf("target index %d of %d", e.Target, len(b.Targets))
		case e.Sender < 0 || int(e.Sender) > len(b.Senders):
			return nil, fmt.Errorf("sender index %d of %d", e.Sender, len(b.Senders))
		case e.SerializerId != 0:
			return nil, fmt.Errorf("serializer %d", e.SerializerId)
		case !s.gate.admits(b.Targets[e.Target].GetId(), b.TypeNames[e.TypeId]):
			return nil, fmt.Errorf("a message of type %q to %q", b.TypeNames[e.TypeId], b.Targets[e.Target].GetId())
		}
		if err := s.pace.Wait(s.Context()); err != nil {
			return nil, err
		}
		clean.Envelopes = append(clean.Envelopes, &remote.MessageEnvelope{
			TypeId: e.TypeId, MessageData: e.MessageData, Target: e.Target, Sender: e.Sender,
			TargetRequestId: e.TargetRequestId, SenderRequestId: e.SenderRequestId,
		})
	}
	return clean, nil
}
