package breaker

import (
	"context"
	"errors"
	"net"

	"understudy/messages"
)

// errSilent stands for the error that a push without OK has not told.
var errSilent = errors.New("peer was silent")

// errHeld is the failure of a call to a peer that an operator holds back.
var errHeld = errors.New("paused by the operator")

// failure is how a call to a silent peer has ended, to be repeated.
type failure struct {
	silence messages.Silence
	push    bool  // it was a push
	err     error // what it returned; nil for a push that ended without OK
}

// why is the short text for it.
func (f failure) why() string {
	var peer *messages.PeerError
	switch {
	case f.err == nil:
		return f.silence.String()
	case !errors.As(f.err, &peer):
		return f.err.Error()
	case peer.Why == "" && peer.Err != nil:
		return peer.Err.Error()
	case peer.Why == "":
		return f.silence.String()
	}
	return peer.Why
}

// again is the failure as an error about a node that was not tried.
func (f failure) again(node messages.Node) *messages.PeerError {
	var peer *messages.PeerError
	repeated := messages.PeerError{Err: errSilent}
	switch {
	case errors.As(f.err, &peer):
		repeated = *peer
	case f.err != nil:
		repeated.Err = f.err
	}
	repeated.Node, repeated.Silence, repeated.Untried = node, f.silence, true
	return &repeated
}

// verdict is what the end of a call tells about the peer.
type verdict int

const (
	nothing verdict = iota // we stopped it, or could not even begin
	answer
	silence
)

// ofError judges the error of a call, nil included.
func ofError(err error) (verdict, messages.Silence) {
	var status *messages.StatusError
	if err == nil || errors.As(err, &status) {
		return answer, messages.Answered
	}
	var peer *messages.PeerError
	if !errors.As(err, &peer) || peer.Untried {
		return nothing, messages.Answered
	}
	var connection *net.OpError
	switch {
	case peer.Silence != messages.Answered:
		return silence, peer.Silence
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nothing, messages.Answered
	case errors.As(err, &connection) && connection.Op == "dial": // a name, or no descriptors left
		return nothing, messages.Answered
	}
	return answer, messages.Answered // one that cannot be read
}
