// Package pushes lets a daemon ask the agent of its machine whether a push may begin. The
// daemon carries no remoting: it writes a line of JSON to the agent's unix socket and
// reads one. The connection is the reservation: it stays open while the push runs, an empty
// line now and then says that it does, and whoever closes it, dies, or is silent has given
// the reservation back.
//
// As between nodes, a reservation is a courtesy: a daemon that gets no answer goes ahead,
// and a push whose agent dies goes on.
package pushes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"understudy/messages"
)

// lineBytes bounds a question and an answer.
const lineBytes = 16 << 10

// question is what a daemon asks.
type question struct {
	Partition messages.Partition
	Node      messages.Node // who receives
	Degraded  bool          `json:",omitempty"`
	Waited    float64       `json:",omitempty"` // seconds since the job asked first
}

func (q *question) ask() (messages.PushAsk, error) {
	switch {
	case q.Partition.Device == "":
		return messages.PushAsk{}, errors.New("a question without a device that sends")
	case q.Node.Device == "" || q.Node.ReplicationIP == "":
		return messages.PushAsk{}, errors.New("a question without a device that receives")
	case !(q.Waited >= 0 && q.Waited <= longest.Seconds()): // NaN, too
		return messages.PushAsk{}, fmt.Errorf("a question after %v seconds", q.Waited)
	}
	return messages.PushAsk{Partition: q.Partition, Node: q.Node, Degraded: q.Degraded, Waited: time.Duration(q.Waited * float64(time.Second))}, nil
}

// longest is the longest wait that either side believes in.
const longest = 366 * 24 * time.Hour

// answer is what the agent says: yes, or when to ask again, or why it has no answer.
type answer struct {
	Granted bool    `json:",omitempty"`
	Busy    string  `json:",omitempty"` // the device that takes no more now
	After   float64 `json:",omitempty"` // with Busy: seconds
	Error   string  `json:",omitempty"`
}

func answerOf(err error) answer {
	var busy *messages.BusyError
	switch {
	case err == nil:
		return answer{Granted: true}
	case errors.As(err, &busy):
		return answer{Busy: busy.Device, After: busy.After.Seconds()}
	}
	return answer{Error: err.Error()}
}

// err is the error of messages that an answer stands for; nil: granted.
func (a answer) err() error {
	switch {
	case a.Granted:
		return nil
	case a.Busy != "" && a.After >= 0 && a.After <= longest.Seconds():
		return &messages.BusyError{Device: a.Busy, After: time.Duration(a.After * float64(time.Second))}
	case a.Error != "":
		return fmt.Errorf("the agent: %s", a.Error)
	}
	return fmt.Errorf("the agent's answer makes no sense: %+v", a)
}

// read reads the first line of the other side.
func read(r io.Reader, into any) error {
	err := json.NewDecoder(io.LimitReader(r, lineBytes)).Decode(into)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the line ends early, or is too long")
	}
	return err
}
