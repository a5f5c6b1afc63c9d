// Package silence tells from a failed exchange over TCP how far the peer was from
// answering.
package silence

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"slices"
	"syscall"

	"understudy/messages"
)

// away are the ways in which a kernel says that it has no way to a peer, or lost it.
var away = []syscall.Errno{
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT, syscall.EHOSTUNREACH,
	syscall.EHOSTDOWN, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ENOTCONN,
}

// OfDial classifies an error of connecting. What stays on this side of the wire
// (names, addresses, file descriptors) counts as Answered: it says nothing about
// the peer.
func OfDial(err error) messages.Silence {
	var name *net.DNSError
	if err == nil || errors.As(err, &name) {
		return messages.Answered
	}
	if timedOut(err) || errors.Is(err, context.DeadlineExceeded) || lost(err) {
		return messages.Unreachable
	}
	return messages.Answered
}

// OfTalk classifies an error on a connection that was made. Only a limit that ran
// out or a connection that broke is a silence; whatever else is wrong with an
// answer, there was one.
func OfTalk(err error) messages.Silence {
	var file *fs.PathError
	if err == nil || errors.As(err, &file) { // a disk has deadlines and errnos, too
		return messages.Answered
	}
	if timedOut(err) || lost(err) || cut(err) {
		return messages.Unanswered
	}
	return messages.Answered
}

func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

func lost(err error) bool {
	return slices.ContainsFunc(away, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

func cut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}
