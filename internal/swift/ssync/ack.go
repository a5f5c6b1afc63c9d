package ssync

import (
	"bytes"
	"strconv"
)

// AckHeader is the name of a header, in a request and in its answer, of value "1":
// both sides run this program, and the receiver acknowledges each subrequest by a line
// of its own, in their order and before its own UpdatesStart. A
// receiver that was not asked, and one of Swift's, sends none.
const AckHeader = "X-Understudy-Acks"

const ackMark = ":ACK: "

// AppendAck appends the acknowledgement of a subrequest: its HTTP status.
func AppendAck(dst []byte, status int) []byte {
	return append(strconv.AppendInt(append(dst, ackMark...), int64(status), 10), "\r\n"...)
}

// ParseAck reads an acknowledgement without its end. False for any other line.
func ParseAck(line []byte) (status int, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(ackMark))
	if !ok || len(rest) != 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest), 10, 16)
	return int(n), err == nil && n >= 100
}

// Taken tells whether a subrequest with this status has done what it was to do. What
// is to be deleted and is not there is as good as deleted.
// Swift: obj/ssync_receiver.py Receiver.updates.
func Taken(status int) bool { return status/100 == 2 || status == 404 }
