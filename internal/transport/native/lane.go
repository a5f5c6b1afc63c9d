// Package native is the client side of the native lane: it knows which peers run this
// program, compares many partitions with each of them in one exchange, and sees to it
// that nodes which must not work together do not.
//
// What a peer says first is said on the compatible lane, by a header of its answers.
package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/native"
	"understudy/internal/transport/replicate"
	"understudy/internal/transport/silence"
	"understudy/messages"
)

// Config is what a Lane has to know. All but Dial, Silent and Through is required.
type Config struct {
	ConnTimeout time.Duration // for connecting
	HTTPTimeout time.Duration // for the whole of an exchange, at most
	UserAgent   string
	Cluster     native.Cluster
	Ring        func(policy int) uint64 // version of a policy's ring, 0 when not known; may block on disk
	Now         func() time.Time
	Log         zerolog.Logger

	// Dial connects; a net.Dialer's DialContext when nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Silent tells whether a node or its device is known not to answer: it is then not
	// asked this way. It does not block. Nil: never.
	Silent func(messages.Node) bool
	// Through stands before each exchange and may refuse it. Nil: nothing does.
	Through func(ctx context.Context, node messages.Node, call func(context.Context) error) error
}

// The times of an exchange: how long a peer may work for its answer, and how much
// longer it may take to come.
const (
	workTime  = 10 * time.Second
	graceTime = 5 * time.Second
)

// Lane is the client side of surveys. It is safe for concurrent use. Call Close when
// it is no longer needed.
type Lane struct {
	cfg   Config
	http  *http.Transport
	peers peers
}

// New makes a Lane that knows no peer yet. It does no I/O.
func New(cfg Config) *Lane {
	if cfg.Silent == nil {
		cfg.Silent = func(messages.Node) bool { return false }
	}
	if cfg.Through == nil {
		cfg.Through = func(ctx context.Context, _ messages.Node, call func(context.Context) error) error { return call(ctx) }
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	connect := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, cfg.ConnTimeout)
		defer cancel()
		return cfg.Dial(ctx, network, address)
	}
	return &Lane{
		cfg: cfg,
		http: &http.Transport{
			DialContext: connect, DisableCompression: true, MaxIdleConnsPerHost: 2, MaxIdleConns: 256,
			IdleConnTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		peers: peers{known: map[string]*peer{}},
	}
}

// Close closes the idle connections.
func (l *Lane) Close() { l.http.CloseIdleConnections() }

func address(n messages.Node) string {
	return net.JoinHostPort(n.ReplicationIP, strconv.Itoa(n.ReplicationPort))
}

// Heard takes in what an exchange on the compatible lane has told of a node: what its
// answer offered, or why there was none.
func (l *Lane) Heard(n messages.Node, lane string, err error) {
	if err == nil && offers(lane) {
		l.peers.ours(address(n), l.cfg.Now())
		return
	}
	l.peers.forget(address(n))
}

// offers tells whether a header names the lane in this version, among others.
func offers(header string) bool {
	if header == native.Offer {
		return true
	}
	for one := range strings.SplitSeq(header, ",") {
		if strings.TrimSpace(one) == native.Offer {
			return true
		}
	}
	return false
}

// Any tells whether some peer takes surveys. It does not block.
func (l *Lane) Any() bool { return l.peers.any() }

// Ours tells whether a node takes surveys now. It does not block.
func (l *Lane) Ours(n messages.Node) bool {
	return l.peers.takes(address(n), l.cfg.Now()) && !l.cfg.Silent(n)
}

// OursAt tells whether the node at an address, ip:port, is known to run this program
// and to refuse nothing. It does not block.
func (l *Lane) OursAt(address string) bool { return l.peers.takes(address, l.cfg.Now()) }

// refused is a peer's word that the two nodes must not work together.
type refused struct{ about, why string }

func (r *refused) Error() string { return "peer refuses to work with this node: " + r.why }

// exchange sends a survey and reads its answer. The error is a *refused, a
// *messages.StatusError, or a *messages.PeerError. It also keeps account of what the
// end tells of the peer.
func (l *Lane) exchange(ctx context.Context, n messages.Node, q *native.Request) (*native.Answer, error) {
	var answer *native.Answer
	err := l.cfg.Through(ctx, n, func(ctx context.Context) (err error) {
		answer, err = l.post(ctx, n, q)
		return err
	})
	var no *refused
	var status *messages.StatusError
	var peer *messages.PeerError
	switch {
	case err == nil:
		l.accepted(n, q)
	case errors.As(err, &no):
		l.refused(n, q, no)
	case errors.As(err, &status) && status.Status >= 500 && status.Status != http.StatusNotImplemented:
		// It has trouble, and is one of ours still.
	case errors.As(err, &status):
		l.peers.shun(address(n), l.cfg.Now(), true) // it is no longer one of ours: it refuses nothing
		l.cfg.Log.Warn().Err(err).Str("peer", address(n)).Msg("peer takes no surveys, it is asked for each partition")
	case errors.As(err, &peer) && peer.Untried, ctx.Err() != nil:
	case errors.As(err, &peer) && peer.Silence == messages.Unreachable: // it may be starting
		l.peers.forget(address(n))
	default:
		l.peers.shun(address(n), l.cfg.Now(), false)
		l.cfg.Log.Warn().Err(err).Str("peer", address(n)).Msg("survey failed, peer is asked for each partition for a while")
	}
	return answer, err
}

func (l *Lane) post(ctx context.Context, n messages.Node, q *native.Request) (*native.Answer, error) {
	whole := min(l.cfg.HTTPTimeout, workTime+graceTime)
	q.Within = (whole * 2 / 3).Truncate(time.Millisecond)
	body := q.Encode()
	limited, cancel := context.WithTimeout(ctx, whole)
	defer cancel()
	fail := func(err error) error {
		if ctx.Err() != nil {
			return &messages.PeerError{Node: n, Err: ctx.Err()}
		}
		why, quiet := replicate.Why(err), silence.OfTalk(err)
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			quiet = silence.OfDial(err)
		} else if limited.Err() != nil {
			why, quiet = fmt.Sprintf("Timeout (%gs)", whole.Seconds()), messages.Unanswered
		}
		return &messages.PeerError{Node: n, Why: why, Silence: quiet, Err: err}
	}
	resp, err := l.http.RoundTrip(l.request(limited, n, body))
	if err != nil {
		return nil, fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusConflict:
		text, _ := readAtMost(resp.Body, maxWhy) // the status says enough without it
		return nil, &refused{about: resp.Header.Get(native.Refusal), why: string(text[:min(len(text), maxWhy)])}
	default:
		return nil, &messages.StatusError{Node: n, Status: resp.StatusCode}
	}
	out, err := readAtMost(resp.Body, native.MaxAnswer)
	if err != nil {
		return nil, fail(err)
	}
	answer, err := native.DecodeAnswer(out, q, body)
	if err != nil {
		return nil, &messages.PeerError{Node: n, Err: err}
	}
	return answer, nil
}
