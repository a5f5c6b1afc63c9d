// Package mux lets two nodes that both run this program have many exchanges at the
// same time over one connection: each exchange has a stream of its own, which is a
// net.Conn. A connection begins as an HTTP/1.1 request for an upgrade on the port of
// the replication server, and goes on as yamux. docs/native-lane.md describes it.
package mux

import (
	"bufio"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/yamux"
	"github.com/rs/zerolog"
)

const (
	// Protocol is the word of the upgrade. Its number changes with anything that an
	// older version would misunderstand.
	Protocol = "understudy-streams/1"
	// Path is where an upgrade is asked for.
	Path = "/.understudy/streams"

	writeTimeout = 10 * time.Second // for the connection to take a frame
	openTimeout  = 30 * time.Second // for a stream to be taken by the other side
	closeTimeout = time.Minute      // for the other side to close its half of a stream
	keepAlive    = 15 * time.Second // between the questions whether the other side lives
	backlog      = 256              // streams that nobody has taken yet
)

// config is the same on both sides.
func config(log zerolog.Logger) *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = backlog
	c.KeepAliveInterval = keepAlive
	c.ConnectionWriteTimeout = writeTimeout
	c.StreamOpenTimeout = openTimeout
	c.StreamCloseTimeout = closeTimeout
	c.LogOutput = nil
	c.Logger = stdlog.New(lines{log}, "", 0)
	return c
}

// lines takes yamux's own lines. What it calls an error is a connection that has
// ended, which its streams tell their users.
type lines struct{ zerolog.Logger }

func (l lines) Write(p []byte) (int, error) {
	l.Debug().Str("said", strings.TrimSpace(string(p))).Msg("streams")
	return len(p), nil
}

// Asked tells whether a request asks for an upgrade to this protocol.
func Asked(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == Path && r.Header.Get("Upgrade") == Protocol
}

// request is the request for an upgrade.
func request(address string) []byte {
	return []byte("GET " + Path + " HTTP/1.1\r\nHost: " + address +
		"\r\nConnection: Upgrade\r\nUpgrade: " + Protocol + "\r\n\r\n")
}

// accepted is the answer that grants it.
const accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + Protocol + "\r\n\r\n"

// buffered is a connection of which the first bytes have been read already.
type buffered struct {
	net.Conn
	first io.Reader
}

// unread gives a connection back the bytes that a reader holds of it.
func unread(c net.Conn, r *bufio.Reader) net.Conn {
	if r.Buffered() == 0 {
		return c
	}
	return &buffered{c, io.MultiReader(io.LimitReader(r, int64(r.Buffered())), c)}
}

func (b *buffered) Read(p []byte) (int, error) { return b.first.Read(p) }
