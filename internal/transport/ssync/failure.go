package ssync

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"

	wire "understudy/internal/swift/ssync"
	"understudy/internal/transport/silence"
	"understudy/messages"
)

// replicationError is a failure that Swift logs as one plain line.
// Swift: common/exceptions.py ReplicationException.
type replicationError struct {
	words string
	line  *wire.Error // the receiver's own words, if it has said any
	err   error       // the cause, if there is one that says more
}

func (e *replicationError) Error() string { return e.words }
func (e *replicationError) Unwrap() error { return e.err }

func plainly(words string) error { return &replicationError{words: words} }

// errEnded is an answer that the receiver itself has brought to its end.
var errEnded = errors.New("the answer has ended")

// earlyDisconnect is an answer that ended too soon, was cut, or makes no sense.
func earlyDisconnect(cause error) error {
	return &replicationError{words: "Early disconnect", err: cause}
}

// unexpected is a line that should not be there. The receiver's errors come so.
func unexpected(line []byte) error {
	err := &replicationError{words: "Unexpected response: " + wire.Repr(line[:min(len(line), 1024)])}
	if said, ok := wire.ParseError(line); ok {
		err.line = &said
	}
	return err
}

// timeoutError is a limit of ours that ran out.
// Swift: common/exceptions.py MessageTimeout.
type timeoutError struct {
	after string // "10.0 seconds"
	what  string // what was going on
	err   error
}

func (e *timeoutError) Error() string { return e.after + ": " + e.what }
func (e *timeoutError) Unwrap() error { return e.err }

// seconds writes a limit as eventlet does. float says that Swift holds it as one.
func seconds(d time.Duration, float bool) string {
	text := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	if float && d%time.Second == 0 {
		text += ".0"
	}
	if d == time.Second {
		return text + " second"
	}
	return text + " seconds"
}

// ranOut tells a deadline of ours from the kernel's ETIMEDOUT.
func ranOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}

// silence tells what the end of a session says about the peer.
func (s *session) silence(err error) messages.Silence {
	var device *messages.DeviceError
	switch {
	case errors.As(err, &device), errors.Is(err, errEnded):
		return messages.Answered
	case s.conn == nil:
		return silence.OfDial(err)
	}
	return silence.OfTalk(err)
}

// inSwiftsWords is what Swift's log says of a failure, behind the peer's name.
func inSwiftsWords(err error) string {
	var timeout *timeoutError
	var plain *replicationError
	if errors.As(err, &timeout) {
		return timeout.Error()
	}
	if errors.As(err, &plain) {
		return plain.Error()
	}
	return "EXCEPTION in ssync.Sender: " + why(err)
}

// why is Swift's short text for what went wrong, where it has one.
// Swift: common/utils LogAdapter.exception.
func why(err error) string {
	for _, w := range whys {
		if errors.Is(err, w.errno) {
			return w.why
		}
	}
	return err.Error()
}

var whys = []struct {
	errno syscall.Errno
	why   string
}{
	{syscall.ECONNREFUSED, "Connection refused"},
	{syscall.ECONNRESET, "Connection reset"},
	{syscall.EHOSTUNREACH, "Host unreachable"},
	{syscall.ENETUNREACH, "Network unreachable"},
	{syscall.ETIMEDOUT, "Connection timeout"},
	{syscall.EPIPE, "Broken pipe"},
}
