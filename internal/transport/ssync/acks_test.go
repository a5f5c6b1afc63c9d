package ssync

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// okAcked answers the head as a receiver of this program's does.
func (r *receiver) okAcked() {
	r.head()
	r.say("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\n" + wire.AckHeader + ": 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n")
}

// wantsAcked answers the offers, and acknowledges subrequests from then on.
func (r *receiver) wantsAcked(lines ...string) {
	r.okAcked()
	r.until(wire.MissingEnd)
	r.chunk(wire.MissingStart + "\r\n" + strings.Join(lines, "\r\n") + "\r\n" + wire.MissingEnd + "\r\n")
	r.until(wire.UpdatesStart)
}

// subrequest reads one, with a body of so many bytes.
func (r *receiver) subrequest(body int) {
	r.until("")
	for range body {
		_, _ = r.body.ReadByte()
	}
}

func (r *receiver) ack(status int) { r.chunk(fmt.Sprintf(":ACK: %d\r\n", status)) }

func (r *receiver) end() {
	r.until(wire.UpdatesEnd)
	r.chunk(wire.UpdatesStart + "\r\n" + wire.UpdatesEnd + "\r\n")
	r.rest()
}

func acked(c *Config, _ *messages.SyncJob) { acknowledged(c) }

// Each object is acknowledged while others are still being sent: nothing is buffered
// here on the way, so a sender that did not read would wait for ever. One that was
// refused is not proven; when its body was, it is looked at.
func TestAcks(t *testing.T) {
	big := strings.Repeat("x", 3<<20)
	for name, c := range map[string]struct {
		statuses [4]int
		proven   int
		verified int
	}{
		"all taken":     {[4]int{201, 201, 202, 204}, 3, 0},
		"not there":     {[4]int{201, 201, 202, 404}, 3, 0},
		"no object":     {[4]int{201, 201, 404, 204}, 2, 0}, // for its metadata: deleted since it was wanted
		"a newer one":   {[4]int{409, 201, 202, 204}, 2, 0},
		"body refused":  {[4]int{422, 201, 202, 204}, 2, 1},
		"meta refused":  {[4]int{201, 201, 409, 204}, 2, 0},
		"nothing taken": {[4]int{507, 507, 507, 507}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			objects := &fakeObjects{all: []*wire.Object{fakeData(1, big), fakePost(2, "body"), fakeTombstone(3)}}
			res, log := play(t, objects, func(r *receiver) {
				r.wantsAcked(fakeHash(1)+" d", fakeHash(2)+" dm", fakeHash(3)+" d")
				for i, body := range []int{len(big), 4, 0, 0} {
					r.subrequest(body)
					r.ack(c.statuses[i])
				}
				r.end()
			}, acked)
			if len(res.Proven) != c.proven || res.OK != (c.proven == 3 || name == "no object") || len(objects.verified) != c.verified {
				t.Errorf("%+v, verified %v, log %s", res, objects.verified, log)
			}
			if refused := strings.Contains(log.String(), "object refused"); refused == res.OK {
				t.Errorf("log %s", log)
			}
		})
	}
}

// What a receiver can do wrong between and instead of acknowledgements.
func TestBadAcks(t *testing.T) {
	for name, c := range map[string]struct {
		script func(r *receiver)
		want   string
	}{
		"too few": {func(r *receiver) { r.subrequest(4); r.ack(201); r.end() }, "1 acknowledgements of 2 subrequests"},
		"too many": {func(r *receiver) {
			r.subrequest(4)
			for range 9 {
				r.ack(201)
			}
			r.end()
		}, "more acknowledgements than subrequests"},
		"no number": {func(r *receiver) { r.subrequest(4); r.chunk(":ACK: ok\r\n"); r.rest() }, "Unexpected response: ':ACK: ok'"},
		"long":      {func(r *receiver) { r.subrequest(4); r.chunk(":ACK: 2010\r\n"); r.rest() }, "Unexpected response: ':ACK: 2010'"},
		"hangs up":  {func(r *receiver) { r.subrequest(4); r.ack(201) }, "10.0.0.1:6200/sdb/7 "},
		"gives up": {func(r *receiver) {
			r.subrequest(4)
			r.chunk(":ERROR: 0 'Too many 1 failures to 0 successes'\n")
			r.rest()
		}, "Too many 1 failures to 0 successes"},
		"before END": {func(r *receiver) {
			r.subrequest(4)
			r.chunk(wire.UpdatesStart + "\r\n" + wire.UpdatesEnd + "\r\n")
			r.rest()
		}, "0 acknowledgements of 2 subrequests"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := &fakeObjects{all: []*wire.Object{fakeData(1, "body"), fakeData(2, strings.Repeat("x\n", 1<<19))}}
			res, log := play(t, objects, func(r *receiver) {
				r.wantsAcked(fakeHash(1)+" d", fakeHash(2)+" d")
				c.script(r)
			}, acked)
			if res.OK || len(res.Proven) > 0 || !strings.Contains(log.String(), c.want) {
				t.Errorf("%+v, log %s", res, log)
			}
		})
	}
}

// Who was asked and does not acknowledge is a receiver as any other; who was not asked
// is not.
func TestNoAcks(t *testing.T) {
	objects := &fakeObjects{all: []*wire.Object{fakeData(1, "body\n")}}
	for _, asked := range []bool{true, false} {
		head := ""
		res, log := play(t, objects, func(r *receiver) {
			for !strings.HasSuffix(head, "\r\n\r\n") {
				line, err := r.in.ReadString('\n')
				if err != nil {
					return
				}
				head += line
			}
			r.body = bufio.NewReader(&dechunk{in: r.in})
			r.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n")
			r.until(wire.MissingEnd)
			r.chunk(wire.MissingStart + "\r\n" + fakeHash(1) + " d\r\n" + wire.MissingEnd + "\r\n")
			r.takes()
		}, func(c *Config, _ *messages.SyncJob) {
			c.Ours = func(address string) bool { return asked && address == "10.0.0.1:6200" }
		})
		if !res.OK || len(res.Proven) != 1 {
			t.Errorf("%+v, log %s", res, log)
		}
		if strings.Contains(head, wire.AckHeader+": 1\r\n") != asked {
			t.Errorf("asked %v: %q", asked, head)
		}
	}
}
