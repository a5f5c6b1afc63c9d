package remoteapi

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call refuses every call to a peer: there is none that this program makes.
func (g *gate) call(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
	return status.Error(codes.PermissionDenied, "not from here")
}

// dialled opens a stream to a peer. One that does not answer the first message in time is
// given up: the library would wait for ever, in the actor that writes to it.
func (g *gate) dialled(
	ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	limit := time.AfterFunc(answerLimit, cancel)
	stay := context.AfterFunc(g.ends, cancel)
	s, err := open(ctx, d, conn, method, opts...)
	if err != nil {
		limit.Stop()
		stay()
		cancel()
		return nil, err
	}
	return &answered{ClientStream: s, gate: g, limit: limit, cancel: func() { stay(); cancel() }}, nil
}

// answered is a stream of which only what a server may say is read.
type answered struct {
	grpc.ClientStream
	gate   *gate
	limit  *time.Timer
	cancel context.CancelFunc
	first  sync.Once
	closed atomic.Bool // the library knows that the connection is over
	broken atomic.Bool // a message could not be sent, which the library tells nobody
}

// SendMsg implements grpc.ClientStream.
func (s *answered) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err != nil {
		s.broken.Store(true)
	}
	return err
}

// CloseSend implements grpc.ClientStream. The library calls it before it closes a
// connection that is over.
func (s *answered) CloseSend() error {
	s.closed.Store(true)
	return s.ClientStream.CloseSend()
}

// RecvMsg implements grpc.ClientStream.
func (s *answered) RecvMsg(m any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.gate.log.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Msg("remoting panicked")
			err = status.Error(codes.Internal, "panic")
		}
		if err != nil {
			s.limit.Stop()
			s.cancel()
		}
		// The library takes any other end for a lost connection and, by the peer's address,
		// throws away the one that has been made since, with what waits in it.
		if err != nil && s.closed.Load() && !s.broken.Load() {
			err = io.EOF
		}
	}()
	if err := s.ClientStream.RecvMsg(m); err != nil {
		return err
	}
	s.first.Do(func() { s.limit.Stop() })
	if r, ok := m.(*remote.RemoteMessage); ok {
		switch r.MessageType.(type) {
		case *remote.RemoteMessage_ConnectResponse:
			return nil
		case *remote.RemoteMessage_DisconnectRequest:
			s.closed.Store(true) // the library takes this for the end
			return nil
		}
	}
	return status.Error(codes.PermissionDenied, fmt.Sprintf("a server says %T", m))
}
