// Package server is the receiving side of replication: what other nodes'
// replicators ask this node's object server for.
//
// Swift: obj/server.py ObjectController.
package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"understudy/internal/mux"
	"understudy/internal/native"
	"understudy/messages"
)

// Store is what the server needs of the disks. Its methods block on disk.
type Store interface {
	// Check tells whether a device can be worked on: *messages.DeviceError if not.
	Check(ctx context.Context, device string) error
	// Hashes returns the suffix hashes of a partition. A missing partition has none
	// and is not made.
	Hashes(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error)
	// Invalidate marks suffixes as changed, without hashing them.
	Invalidate(ctx context.Context, p messages.Partition, suffixes []string) error
}

// Config is what a Server has to know. Store, Policies and Log are required.
type Config struct {
	Store    Store
	Policies []messages.Policy // those of the replication type
	Log      zerolog.Logger
	Version  string // told in the answer to OPTIONS, after "object-server/"

	// NoReplication is replication_server = false: REPLICATE and SSYNC are answered
	// with 405.
	NoReplication bool
	Ssync         Ssync // what receives objects; not served without a Store

	Recon       Recon  // what /recon tells
	DisablePath string // while this file is there, /healthcheck answers 503
	LogRequests bool   // a line for each request, as Swift's servers write it
	PassTo      PassTo // who gets what is not ours
	Lane        *Lane  // takes surveys and offers to do so; nil: it does neither

	Limits Limits
}

// Limits bound what peers can take from this node. Zero stands for the default.
type Limits struct {
	Connections int           // open at the same time; more wait to be accepted; 1024
	HeaderBytes int           // of one request; 64 KiB
	PerDevice   int           // requests at work on one device; more wait; 8
	DeviceWait  time.Duration // for one of those places, then 503; 30s
	Header      time.Duration // to send a request's head; 60s
	Idle        time.Duration // between the requests of a connection; 60s
	Answer      time.Duration // for a peer to take an answer; 60s
	Drain       time.Duration // for requests at work when the server ends; 5s
	Survey      time.Duration // to answer a survey with what has been done by then; 20s
}

func (l Limits) withDefaults() Limits {
	number(&l.Connections, 1024)
	number(&l.HeaderBytes, 64<<10)
	number(&l.PerDevice, 8)
	number(&l.DeviceWait, 30*time.Second)
	number(&l.Header, 60*time.Second)
	number(&l.Idle, 60*time.Second)
	number(&l.Answer, 60*time.Second)
	number(&l.Drain, 5*time.Second)
	number(&l.Survey, 20*time.Second)
	return l
}

func number[T int | int64 | time.Duration](n *T, value T) {
	if *n <= 0 {
		*n = value
	}
}

// Server answers peers. It is an http.Handler and safe for concurrent use.
type Server struct {
	cfg     Config
	methods []string // served, in order
	slots   slots
	ours    atomic.Pointer[[]messages.Policy]

	receiver *receiver // of SSYNC; nil: not served
}

// New makes a server. It does no I/O and starts nothing.
func New(cfg Config) *Server {
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.PassTo = cfg.PassTo.withDefaults(cfg.Limits)
	s := &Server{cfg: cfg, slots: slots{limit: cfg.Limits.PerDevice}}
	s.SetPolicies(cfg.Policies)
	s.methods = []string{http.MethodOptions, methodReplicate}
	if cfg.Ssync.Store != nil {
		s.receiver = newReceiver(cfg.Ssync)
		s.methods = append(s.methods, methodSsync)
	}
	if cfg.Lane != nil {
		s.methods = append(s.methods, native.Method)
	}
	slices.Sort(s.methods)
	s.methods = slices.Compact(s.methods)
	if cfg.NoReplication {
		s.methods = slices.DeleteFunc(s.methods, func(m string) bool { return m == methodReplicate || m == methodSsync || m == native.Method })
	}
	return s
}

// SetPolicies changes which policies are served, from the next request on.
func (s *Server) SetPolicies(policies []messages.Policy) { s.ours.Store(&policies) }

const (
	methodReplicate = "REPLICATE"
	methodSsync     = "SSYNC"
)

// ServeHTTP answers one request.
// Swift: obj/server.py __call__, behind common/middleware/healthcheck.py.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	path, err := requestPath(r)
	if s.cfg.PassTo.Address != "" && r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // what would follow could be foreign
	}
	var a answer
	switch {
	case err != nil || !utf8.ValidString(path):
		a = answer{http.StatusPreconditionFailed, typeHTML, "Invalid UTF8 or contains NULL"}
	case mux.Asked(r):
		s.upgrade(w, r)
		return
	case path == healthPath:
		a = s.health()
	case strings.HasPrefix(path, reconPath):
		a = s.recon(workContext(r), path)
	case !slices.Contains(s.methods, r.Method):
		a = page(http.StatusMethodNotAllowed, "The method is not allowed for this resource.")
	case r.Method == methodSsync:
		s.session(w, r, path, started)
		return
	case r.Method == http.MethodOptions:
		s.offer(w)
		w.Header().Set("Allow", strings.Join(s.allowed(), ", "))
		w.Header().Set("Server", "object-server/"+s.cfg.Version)
		a = answer{http.StatusOK, typeHTML, ""}
	case r.Method == native.Method:
		s.offer(w)
		a = s.survey(workContext(r), w, r, path)
	default:
		s.offer(w)
		a = s.replicate(workContext(r), r, path)
	}
	s.reply(w, r, a, started)
}

// reply sends a whole answer.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, a answer, started time.Time) {
	s.logRequest(r, a.status, len(a.body), time.Since(started))
	if r.ContentLength != 0 && r.Method != native.Method {
		w.Header().Set("Connection", "close") // nobody reads the body
	}
	// No error: a writer without deadlines is not a peer's connection.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.Limits.Answer))
	a.write(w)
}

// requestPath is the path as sent, unquoted.
func requestPath(r *http.Request) (string, error) {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	return url.PathUnescape(raw)
}

// workKey holds the context of the server in those of its requests.
type workKey struct{}

// workContext is the context of work that a request asks for. It does not end
// with the connection: a peer that has given up asks again, and should then find
// the hashes cached.
func workContext(r *http.Request) context.Context {
	if ctx, ok := r.Context().Value(workKey{}).(context.Context); ok {
		return ctx
	}
	return context.WithoutCancel(r.Context())
}

// Alive tells whether the server's own locks can be had: a server that is wedged
// does not answer.
func (s *Server) Alive(ctx context.Context) error {
	release, ok := s.slots.take(ctx, "", s.cfg.Limits.DeviceWait)
	if !ok {
		return errors.New("the places of requests cannot be had")
	}
	release()
	return nil
}
