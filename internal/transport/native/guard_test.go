package native

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"understudy/internal/native"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// pushes counts what is pushed.
type pushes struct{ n int }

func (p *pushes) Sync(context.Context, messages.SyncJob) (messages.SyncResult, error) {
	p.n++
	return messages.SyncResult{OK: true}, nil
}

func turnedDown(err error) bool {
	var peer *messages.PeerError
	return errors.As(err, &peer) && peer.Untried && peer.Silence == messages.Answered && strings.Contains(peer.Why, "refuses to work with this node")
}

// A peer whose swift.conf hashes names otherwise refuses. Nothing is learnt from it,
// nothing moves to it, and the compatible lane is no way around; the log has one error.
// When it agrees, all goes on.
func TestOtherCluster(t *testing.T) {
	r := newRig(t, time.Minute)
	p, fine := newNeighbour(t), newNeighbour(t)
	other := native.ClusterOf([]byte("x"), nil)
	p.cluster.Store(&other)
	pushed := &pushes{}
	transport := r.Transport(pushed)
	push := func(to *neighbour) error {
		_, err := transport.Sync(t.Context(), messages.SyncJob{Node: to.node("sda")})
		return err
	}
	for range 5 {
		if err := r.learn(p); !turnedDown(err) {
			t.Fatalf("got %v", err)
		}
		if err := push(p); !turnedDown(err) {
			t.Fatalf("got %v", err)
		}
	}
	if p.count("REPLICATE") != 1 || p.count(native.Method) != 1 || pushed.n != 0 || r.Ours(p.node("sda")) {
		t.Errorf("%d questions, %d surveys, %d pushes", p.count("REPLICATE"), p.count(native.Method), pushed.n)
	}
	if got := r.Survey(t.Context(), asksOf(p, "sda", 0, 1, 1, nil)); got[0].Finding != messages.Unknown {
		t.Errorf("%+v", got)
	}
	states := r.Refusals()
	if len(states) != 1 || states[0].Breaker != "refused" || states[0].Untried != 9 || !strings.Contains(states[0].Why, "swift.conf") {
		t.Errorf("%+v", states)
	}
	for range 10 { // it is asked again now and then, and the log is not flooded
		r.pass(refusalLasts)
		if err := r.learn(p); !turnedDown(err) {
			t.Fatalf("got %v", err)
		}
	}
	if p.count("REPLICATE") != 1 || p.count(native.Method) != 11 || r.log.count(`"level":"error"`) != 1 {
		t.Errorf("%d questions, %d surveys, %d errors", p.count("REPLICATE"), p.count(native.Method), r.log.count(`"level":"error"`))
	}
	r.pass(sayAgain)
	if err := r.learn(p); !turnedDown(err) || r.log.count(`"level":"error"`) != 2 {
		t.Errorf("%v, %d errors", err, r.log.count(`"level":"error"`))
	}
	r.mustLearn(fine)
	if err := push(fine); err != nil || pushed.n != 1 {
		t.Errorf("another peer: %v, %d", err, pushed.n)
	}
	p.cluster.Store(&cluster)
	r.pass(refusalLasts)
	r.mustLearn(p)
	if err := push(p); err != nil || pushed.n != 2 || len(r.Refusals()) != 0 || r.log.count("works with this node again") != 1 {
		t.Errorf("in the end: %v, %d pushes, %+v", err, pushed.n, r.Refusals())
	}
}

// A ring of another version is refused likewise, for its policy, naming both versions;
// one that is not known is not compared. A ring that changes here is asked about anew
// before the next job, one that changes there is noticed by the next survey.
func TestOtherRing(t *testing.T) {
	r := newRig(t, time.Minute)
	p := newNeighbour(t)
	r.ring.Store(13)
	if err := r.learn(p); !turnedDown(err) || !strings.Contains(err.Error(), "version 13 on the asking node and 12 on the asked one: that of the asked node is older") {
		t.Fatalf("got %v", err)
	}
	r.ring.Store(12)
	r.pass(refusalLasts)
	r.mustLearn(p)
	r.ring.Store(11)
	if err := r.learn(p); !turnedDown(err) || !strings.Contains(err.Error(), "that of the asking node is older") {
		t.Fatalf("got %v", err)
	}
	r.ring.Store(0)
	r.pass(refusalLasts)
	r.mustLearn(p)
	r.ring.Store(12)
	r.mustLearn(p)
	p.ring.Store(14)
	if got := r.Survey(t.Context(), asksOf(p, "sda", 0, 1, 1, nil)); got[0].Finding != messages.Unknown {
		t.Errorf("%+v", got)
	}
	if err := r.learn(p); !turnedDown(err) {
		t.Errorf("got %v", err)
	}
}

// A peer that refused and then became a stock one, or went away for good, is no longer
// held to its word; one that only cannot be reached is.
func TestRefusalEnds(t *testing.T) {
	r := newRig(t, time.Minute)
	p := newNeighbour(t)
	p.ring.Store(1)
	if err := r.learn(p); !turnedDown(err) {
		t.Fatalf("got %v", err)
	}
	p.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	r.pass(refusalLasts)
	if err := r.learn(p); !turnedDown(err) {
		t.Errorf("in trouble: %v", err)
	}
	stock := func(w http.ResponseWriter, req *http.Request) {
		if req.Method != "REPLICATE" {
			w.WriteHeader(405)
			return
		}
		_, _ = w.Write(hashes.EncodeWire(nil))
	}
	p.answers(stock)
	r.pass(refusalLasts)
	if err := r.learn(p); err != nil || len(r.Refusals()) != 0 || r.Ours(p.node("sda")) {
		t.Errorf("a stock server: %v, %+v", err, r.Refusals())
	}
}

// A stock peer sees questions and pushes, and nothing else.
func TestStockPeer(t *testing.T) {
	r := newRig(t, time.Minute)
	p := newNeighbour(t)
	p.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(hashes.EncodeWire(nil)) })
	pushed := &pushes{}
	transport := r.Transport(pushed)
	for range 3 {
		if err := r.learn(p); err != nil {
			t.Fatal(err)
		}
		if _, err := transport.Sync(t.Context(), messages.SyncJob{Node: p.node("sda")}); err != nil {
			t.Fatal(err)
		}
		r.Survey(t.Context(), asksOf(p, "sda", 0, 1, 1, nil))
	}
	if p.count("REPLICATE") != 3 || p.count(native.Method) != 0 || p.count("OPTIONS") != 0 || pushed.n != 3 || r.Any() {
		t.Errorf("%d questions, %d surveys, %d pushes", p.count("REPLICATE"), p.count(native.Method), pushed.n)
	}
}

// Errors of questions are passed on as they are, and ask for no agreement.
func TestErrorsPass(t *testing.T) {
	r := newRig(t, time.Minute)
	p := newNeighbour(t)
	p.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(native.Header, native.Offer)
		w.WriteHeader(507)
	})
	var status *messages.StatusError
	if err := r.learn(p); !errors.As(err, &status) || status.Status != 507 || p.count(native.Method) != 0 {
		t.Errorf("got %v", err)
	}
}
