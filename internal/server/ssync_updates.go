package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"understudy/internal/swift/policy/pytext"
	wire "understudy/internal/swift/ssync"
)

// headRoom bounds the head of one subrequest, in bytes; Swift's own limits for
// metadata stay far below it.
const headRoom = 1 << 20

// subrequest is a request inside the session.
type subrequest struct {
	method  string
	path    string // as it was sent
	headers wire.Headers
	length  int64 // of the body
	left    int64 // of it, to be read
}

// context is what a reading of the body is called.
func (r *subrequest) context() string { return r.method + " " + r.path }

// updates takes the objects that the sender sends.
// Swift: obj/ssync_receiver.py updates.
func (n *session) updates() error {
	line, err := n.in.line("updates start")
	if err != nil {
		return err
	}
	if len(line) == 0 {
		return errHungUp
	}
	if string(wire.Strip(line)) != wire.UpdatesStart {
		return lookingFor(wire.UpdatesStart, line)
	}
	buffer := make([]byte, max(n.cfg.NetworkChunkSize, 4096))
	successes, failures := 0, 0
	for {
		r, err := n.subrequest()
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		a, err := n.route(r, buffer)
		if err != nil {
			return err
		}
		if wire.Taken(a.status) {
			successes++
		} else {
			failures++
			n.log.Warn().Bool("swift", true).Msgf("ssync subrequest failed with %d: %s /%s/%d%s (%s)",
				a.status, r.method, n.partition.Device, n.partition.Number, r.path, wire.ReprBytes([]byte(a.body)))
		}
		if failures >= n.cfg.FailureThreshold && (successes == 0 || float64(failures)/float64(successes) > n.cfg.FailureRatio) {
			return broken("Too many %d failures to %d successes", failures, successes)
		}
		// What was refused still has to be read, for the next one to be found.
		for r.left > 0 {
			if _, err := n.read(r, buffer); err != nil {
				return err
			}
		}
		if err := n.acks.add(a.status); err != nil {
			return err
		}
	}
	if failures > 0 && n.acks == nil {
		return &inBand{code: http.StatusInternalServerError, body: fmt.Sprintf("ERROR: With :UPDATES: %d failures to %d successes", failures, successes)}
	}
	if err := n.commit(); err != nil {
		return err
	}
	// Unlike Swift: which keeps its place for a moment longer. A sender that hears the end
	// begins its next session at once, and would be told that all places are taken.
	n.leave()
	if err := n.say([]byte(wire.UpdatesStart + "\r\n" + wire.UpdatesEnd + "\r\n")); err != nil {
		return &readError{"updates end: " + err.Error()}
	}
	n.in.arm() // the server reads the end of the body
	return nil
}

// read reads the next block of a subrequest's body.
func (n *session) read(r *subrequest, buffer []byte) ([]byte, error) {
	block := buffer[:min(int64(len(buffer)), r.left)]
	if err := n.in.block(block, r.context()); err != nil {
		return nil, err
	}
	r.left -= int64(len(block))
	return block, nil
}

// subrequest reads the head of the next subrequest; nil at the end.
func (n *session) subrequest() (*subrequest, error) {
	line, err := n.in.line("updates line")
	if err != nil {
		return nil, err
	}
	if len(line) == 0 || string(wire.Strip(line)) == wire.UpdatesEnd {
		return nil, nil
	}
	method, path, ok := strings.Cut(string(wire.Strip(line)), " ")
	if !ok {
		return nil, errors.New("not enough values to unpack (expected 2, got 1)")
	}
	r := &subrequest{method: method, path: path, length: -1}
	for room := headRoom - len(line); ; room -= len(line) {
		if line, err = n.in.line("updates line"); err != nil {
			return nil, err
		}
		if len(line) == 0 {
			return nil, broken("Got no headers for %s %s", method, path)
		}
		if len(wire.Strip(line)) == 0 {
			return r, r.measure()
		}
		if room < len(line) {
			return nil, broken("Headers too long for %s %.200s", method, path)
		}
		name, value, err := wire.ParseHeader(line)
		if err != nil {
			return nil, errors.New("not enough values to unpack (expected 2, got 1)")
		}
		r.headers.Add(name, value)
	}
}

// measure finds out how long the body is.
func (r *subrequest) measure() error {
	text, has := r.headers.Get("content-length")
	if has {
		var err error
		if r.length, err = pytext.Int(text); err != nil {
			return err
		}
		if r.length < 0 {
			return broken("Invalid content-length %s for %s %s", text, r.method, r.path)
		}
	}
	switch r.method {
	case "DELETE", "POST":
		if has && r.length != 0 {
			return broken("%s subrequest with content-length %s", r.method, r.path)
		}
	case "PUT":
		if !has {
			return broken("No content-length sent for %s %s", r.method, r.path)
		}
		r.left = r.length
	default:
		return broken("Invalid subrequest method %s", r.method)
	}
	return nil
}
