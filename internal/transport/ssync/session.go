package ssync

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

const (
	flushSize = 32 << 10    // bytes that are gathered before they are sent
	flushWait = time.Second // and for how long: the receiver waits for each line
	maxHead   = 64 << 10    // bytes of the response's head
	maxReason = 1024        // bytes of a refusal's body
)

// session is one SSYNC request. One goroutine runs it.
type session struct {
	cfg     Config
	log     zerolog.Logger
	job     messages.SyncJob
	objects Objects
	plain   bool // offer as Swift 2.30 does, without offsets of metadata
	probe   bool // offer metadata that nobody can have; see probe.go

	conn    net.Conn
	in      *bufio.Reader // the response's body; nil before its head has come
	line    []byte        // the last that was read or offered
	out     []byte        // not yet sent
	flushed time.Time
	lines   int    // offers made
	bytes   int    // of offers, with their framing
	small   []byte // a small body

	acked    bool       // the receiver acknowledges each subrequest
	acks     *acks      // who reads that; nil before the first is due
	sent     []key      // the objects of the subrequests, in order; kept with acked only
	refused  int        // subrequests
	deadline sync.Mutex // held to change the deadline of reading, and leisure
	leisure  bool       // the next line is not due yet

	offered  map[key]offered
	wanted   []key // in the receiver's order
	offsets  int   // offers with an offset of metadata
	suspects []string

	unlisted   bool // some suffix or object could not be listed
	unreadable bool // a wanted object is there and could not be read
	unsent     int  // wanted objects that were not sent, for whatever reason
}

// key is an object's hash.
type key [16]byte

func keyOf(hash string) (k key) {
	_, _ = hex.Decode(k[:], []byte(hash)) // it is a valid hash
	return k
}

func (k key) String() string { return hex.EncodeToString(k[:]) }

// offered is what became of an offer.
type offered struct {
	files  []string // that the offer stands for; kept for reverts only
	bases  int      // of these: those that are no metadata
	lossy  bool     // the offer left out offsets
	legacy bool     // the receiver wants data only, and knows nothing else
	data   bool     // wanted
	meta   bool     // wanted
	sent   bool     // all that was wanted
	bare   bool     // nothing was wanted by a receiver that may not have the object
}

func (s *session) run(ctx context.Context) error {
	s.offered = map[key]offered{}
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	s.conn = conn
	defer conn.Close()
	// A closed connection ends every read and write, whatever their deadlines.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := s.connect(); err != nil {
		return err
	}
	if err := s.missingCheck(ctx); err != nil {
		return err
	}
	if s.job.CheckOnly == nil {
		if err := s.updates(ctx); err != nil {
			return err
		}
	}
	s.disconnect()
	return nil
}

func (s *session) dial(ctx context.Context) (net.Conn, error) {
	deadline := time.Now().Add(s.cfg.ConnTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	address := s.address()
	conn, err := s.cfg.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, s.connTimeout(err)
	}
	if err := conn.SetWriteDeadline(deadline); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (s *session) address() string {
	return net.JoinHostPort(s.job.Node.ReplicationIP, strconv.Itoa(s.job.Node.ReplicationPort))
}

func (s *session) connTimeout(err error) error {
	if !ranOut(err) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &timeoutError{after: seconds(s.cfg.ConnTimeout, true), what: "connect send", err: err}
}

// connect sends the request's head and reads the response's. The receiver answers
// before the body. Swift: obj/ssync_sender.py connect.
func (s *session) connect() error {
	if _, err := s.conn.Write(s.head()); err != nil {
		return s.connTimeout(err)
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(s.cfg.NodeTimeout)); err != nil {
		return err
	}
	limited := &io.LimitedReader{R: s.conn, N: maxHead}
	response, err := http.ReadResponse(bufio.NewReader(limited), &http.Request{Method: "SSYNC"})
	if err != nil {
		if limited.N == 0 {
			return fmt.Errorf("read response: its head is longer than %d bytes", maxHead)
		}
		return s.receiveTimeout(err)
	}
	if response.StatusCode != http.StatusOK {
		reason, err := io.ReadAll(io.LimitReader(response.Body, maxReason))
		if ranOut(err) {
			return s.receiveTimeout(err)
		}
		return plainly(fmt.Sprintf("Expected status 200; got %d (%s)", response.StatusCode, wire.ReprBytes(reason)))
	}
	if !slices.Equal(response.TransferEncoding, []string{"chunked"}) {
		return earlyDisconnect(nil) // Swift's reader of chunks finds none
	}
	s.acked = response.Header.Get(wire.AckHeader) == "1"
	limited.N = math.MaxInt64
	s.in = bufio.NewReader(response.Body)
	return nil
}

func (s *session) receiveTimeout(err error) error {
	if !ranOut(err) {
		return fmt.Errorf("read response: %w", err)
	}
	return &timeoutError{after: seconds(s.cfg.NodeTimeout, true), what: "connect receive", err: err}
}

// head is the request's head as Swift's http client writes it.
func (s *session) head() []byte {
	node := s.job.Node
	b := fmt.Appendf(nil, "SSYNC /%s/%d HTTP/1.1\r\nHost: ", node.Device, s.job.Partition.Number)
	if strings.Contains(node.ReplicationIP, ":") {
		b = append(append(append(b, '['), node.ReplicationIP...), ']')
	} else {
		b = append(b, node.ReplicationIP...)
	}
	if node.ReplicationPort != 80 {
		b = strconv.AppendInt(append(b, ':'), int64(node.ReplicationPort), 10)
	}
	b = append(b, "\r\nAccept-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"...)
	if s.cfg.Ours != nil && s.cfg.Ours(s.address()) {
		b = append(b, wire.AckHeader+": 1\r\n"...)
	}
	b = append(b, "X-Backend-Storage-Policy-Index: "...)
	return append(strconv.AppendInt(b, int64(s.job.Partition.Policy), 10), "\r\n\r\n"...)
}

// disconnect ends the request's body. The work is done: nobody waits for an answer,
// and it does not matter whether this arrives. Swift: obj/ssync_sender.py disconnect.
func (s *session) disconnect() {
	s.out = append(s.out, "0\r\n\r\n"...)
	_ = s.flush("disconnect")
}

// result is what a session that ended well has achieved.
func (s *session) result() messages.SyncResult {
	result := messages.SyncResult{}
	deletable := 0
	for k, o := range s.offered {
		wanted := o.data || o.meta
		if wanted && !o.sent {
			continue
		}
		deletable++
		if !s.job.Handoff {
			continue
		}
		files := o.files
		if o.legacy || (o.lossy || o.data || o.bare) && !o.meta {
			// The receiver was not told of the metadata, or not of all of it. Or it has
			// a tombstone: then it wants the data alone, although it lacks both.
			// Swift: obj/ssync_receiver.py Receiver._check_local.
			files = files[:o.bases]
		}
		keep(&result.Proven, k.String(), s.held(k.String(), files))
		if o.bare {
			keep(&result.Waiting, k.String(), s.held(k.String(), o.files[o.bases:]))
		}
	}
	s.log.Debug().Bool("swift", true).Msgf(
		"ssync completed ok: dev: %s, part: %d, policy: %d, num suffixes: %d, available: %d, sent: %d, deletable: %d",
		s.job.Partition.Device, s.job.Partition.Number, s.job.Partition.Policy,
		len(s.job.Suffixes), len(s.offered), len(s.wanted), deletable)
	result.OK = !s.unlisted && !s.unreadable && s.refused == 0
	if s.job.Handoff && s.unsent > 0 {
		result.OK = false
	}
	if !result.OK {
		s.log.Error().Int("objects", s.unsent).Msg("sync is incomplete: objects could not be listed or sent")
	}
	return result
}

// keep notes files of an object, if there are any.
func keep(of *messages.Files, hash string, files []string) {
	if len(files) == 0 {
		return
	}
	if *of == nil {
		*of = messages.Files{}
	}
	(*of)[hash] = files
}

// held keeps those files of an object that count towards giving it up.
func (s *session) held(hash string, files []string) []string {
	if s.job.Held == nil {
		return files
	}
	var both []string
	for _, f := range files {
		if slices.Contains(s.job.Held[hash], f) {
			both = append(both, f)
		}
	}
	return both
}
