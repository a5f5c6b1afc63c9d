package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/mux"
	"understudy/internal/server"
	"understudy/messages"
)

const patience = 30 * time.Second

// dialing counts the connections that are really made.
type dialing struct {
	net.Dialer
	made atomic.Int32
}

func (d *dialing) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.made.Add(1)
	return d.Dialer.DialContext(ctx, network, address)
}

// over asks by a connection of a dialer, and wants the answer whole.
func over(t *testing.T, d *mux.Dialer, address, text string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(r.Body)
	return fmt.Sprint(r.StatusCode, " ", string(body)), err
}

// A hundred requests at the same time go over one connection, and a large one does not
// stop the others. With a peer that does not know streams each has its own.
func TestStreams(t *testing.T) {
	many := messages.Hashes{}
	for i := range 4096 {
		many[fmt.Sprintf("%03x", i)] = strings.Repeat("0", 32)
	}
	f := &fake{hashes: func(context.Context) (messages.HashReport, error) { return messages.HashReport{Hashes: many}, nil }}
	address := start(t, newServer(f, func(c *server.Config) { c.Limits.PerDevice = 1000 }))
	for _, ours := range []bool{true, false} {
		real := &dialing{}
		d := mux.NewDialer(mux.DialerConfig{Ours: func(string) bool { return ours }, Dial: real.DialContext, Log: zerolog.Nop()})
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				got, err := over(t, d, address, request(fmt.Sprintf("REPLICATE /sda1/%d", i), "Connection: close"))
				if err != nil || !strings.HasPrefix(got, "200 ") || len(got) < 4096*32 {
					t.Errorf("%.40q, %v", got, err)
				}
			})
		}
		all.Wait()
		d.Close()
		want := int32(1)
		if !ours {
			want = 100
		}
		if real.made.Load() != want {
			t.Errorf("ours %v: %d connections, want %d", ours, real.made.Load(), want)
		}
	}
}

// A stream is no connection that could be upgraded again.
func TestNoStreamsInStreams(t *testing.T) {
	address := start(t, newServer(&fake{}, nil))
	d := mux.NewDialer(mux.DialerConfig{Ours: func(string) bool { return true }, Log: zerolog.Nop()})
	defer d.Close()
	ask := "GET " + mux.Path + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + mux.Protocol + "\r\n\r\n"
	if got, err := over(t, d, address, ask); err != nil || !strings.HasPrefix(got, "501 ") {
		t.Errorf("%q, %v", got, err)
	}
	// Another protocol is an ordinary request, and none that is served.
	if got, err := over(t, d, address, strings.Replace(ask, mux.Protocol, "h2c", 1)); err != nil || !strings.HasPrefix(got, "405 ") {
		t.Errorf("%q, %v", got, err)
	}
}
