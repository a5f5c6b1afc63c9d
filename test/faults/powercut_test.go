package faults

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/server"
	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
	wire "understudy/internal/swift/ssync"
	"understudy/messages"
	"understudy/test/faults/sick"
)

// A power cut drops what was not synced: an XFS that shuts down without writing its
// log, and is mounted again. Each object that our receiver has acknowledged until then
// is there and whole; one that was not acknowledged is whole or is not there at all.
func TestPowerCutOfTheReceiver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("a disk that loses its power needs root")
	}
	c := newCut(t)
	dropped := 0 // files that were written without a sync and are gone: the cut is one
	for round := range 4 {
		acked := c.round(round)
		if c.unsynced(round) {
			dropped++
		}
		c.check(round)
		t.Logf("round %d: %d objects acknowledged before the cut", round, acked)
	}
	if dropped == 0 {
		t.Error("nothing that was not synced has been lost: this was no power cut")
	}
	if len(c.acked) < 4*32 {
		t.Errorf("only %d objects were acknowledged in all", len(c.acked))
	}
}

type cut struct {
	t     *testing.T
	disk  *sick.XFS
	root  string
	paths hashpath.Hasher
	acked map[string]string // name → body
	rng   *rand.Rand
}

func newCut(t *testing.T) *cut {
	t.Helper()
	dir := t.TempDir()
	c := &cut{
		t: t, root: filepath.Join(dir, "srv"), paths: hashpath.Hasher{Suffix: []byte("study")},
		acked: map[string]string{}, rng: rand.New(rand.NewPCG(3, 4)),
	}
	path := filepath.Join(c.root, "sda1")
	must(t, os.MkdirAll(path, 0o755))
	var err error
	c.disk, err = sick.NewXFS(deadline(t), filepath.Join(dir, "image"), path)
	must(t, err)
	t.Cleanup(func() { _ = c.disk.Close(aside(t)) })
	return c
}

func (c *cut) store() *store.Store {
	return store.New(store.Options{Root: c.root, MountCheck: true, ReclaimAge: 100 * 24 * time.Hour, Log: zerolog.Nop()})
}

// round sends objects until some have been acknowledged, and cuts the power.
func (c *cut) round(round int) int {
	c.t.Helper()
	ctx, cancel := context.WithCancel(deadline(c.t))
	disks := c.store()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(c.t, err)
	s := server.New(server.Config{
		Store: disks, Policies: []messages.Policy{{Name: "gold"}}, Log: zerolog.Nop(),
		Ssync: server.Ssync{Store: disks, Paths: c.paths}, Limits: server.Limits{Drain: time.Millisecond},
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	acked := c.session(round, l.Addr().String(), 32+c.rng.IntN(300))
	cancel()
	<-served
	must(c.t, c.disk.Unmount(deadline(c.t)))
	must(c.t, c.disk.Mount(deadline(c.t)))
	return acked
}

// session is one SSYNC that ends when the disk dies, after at least so many
// acknowledgements.
func (c *cut) session(round int, address string, enough int) int {
	c.t.Helper()
	conn, err := net.Dial("tcp", address)
	must(c.t, err)
	defer conn.Close()
	must(c.t, conn.SetDeadline(time.Now().Add(2*time.Minute)))
	chunk := func(text string) error {
		_, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(text), text)
		return err
	}
	_, err = fmt.Fprintf(conn, "SSYNC /sda1/0 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n%s: 1\r\n\r\n", wire.AckHeader)
	must(c.t, err)
	must(c.t, chunk(wire.MissingStart+"\r\n"+wire.MissingEnd+"\r\n"+wire.UpdatesStart+"\r\n"))
	var names []string
	go func() { // the sender: it ends with the connection
		for i := 0; ; i++ {
			name := fmt.Sprintf("/AUTH_cut/c/%d-%d", round, i)
			if chunk(c.put(name)) != nil {
				return
			}
		}
	}()
	acks := make(chan struct{}, 1<<20)
	go func() {
		defer close(acks)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return
		}
		lines := bufio.NewReader(resp.Body)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			if status, ok := wire.ParseAck(bytes.TrimRight(line, "\r\n")); ok && status == http.StatusCreated {
				acks <- struct{}{}
			}
		}
	}()
	died := false
	for range acks {
		name := fmt.Sprintf("/AUTH_cut/c/%d-%d", round, len(names))
		names = append(names, name)
		if len(names) == enough {
			must(c.t, os.WriteFile(c.loose(round), bytes.Repeat([]byte("x"), 100_000), 0o644)) // never synced
			must(c.t, c.disk.Die(deadline(c.t)))
			died = true
			_ = conn.SetDeadline(time.Now().Add(3 * time.Second)) // what was acknowledged is on its way
		}
	}
	if !died {
		c.t.Fatalf("round %d: the session ended after %d acknowledgements", round, len(names))
	}
	for _, name := range names {
		c.acked[name] = body(name)
	}
	return len(names)
}

// body is an object's content: some are empty, some large.
func body(name string) string {
	sum := md5.Sum([]byte(name))
	return strings.Repeat(hex.EncodeToString(sum[:]), int(sum[0])%64*int(sum[1]%4))
}

func (c *cut) put(name string) string {
	content := body(name)
	sum := md5.Sum([]byte(content))
	return fmt.Sprintf("PUT %s\r\nContent-Length: %d\r\nContent-Type: text/plain\r\nETag: %s\r\nX-Timestamp: 1700000000.00000\r\n\r\n%s",
		name, len(content), hex.EncodeToString(sum[:]), content)
}

func (c *cut) loose(round int) string {
	return filepath.Join(c.root, "sda1", fmt.Sprintf("loose-%d", round))
}

// unsynced tells whether the file that was written without a sync has lost something.
func (c *cut) unsynced(round int) bool {
	info, err := os.Stat(c.loose(round))
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() < 100_000
}

// check looks at every object on the disk, those of earlier rounds, too.
func (c *cut) check(round int) {
	c.t.Helper()
	objects, err := c.store().OpenObjects(deadline(c.t), messages.Partition{Device: "sda1"}, c.paths)
	must(c.t, err)
	defer objects.Close()
	for name, want := range c.acked {
		sum := c.paths.Hash("AUTH_cut", "c", strings.TrimPrefix(name, "/AUTH_cut/c/"))
		if got, err := read(c.t.Context(), objects, hex.EncodeToString(sum[:])); err != nil || got != want {
			c.t.Errorf("round %d: acknowledged object %s: %d of %d bytes, %v", round, name, len(got), len(want), err)
		}
	}
	for i := range 2000 { // what was not acknowledged
		name := fmt.Sprintf("/AUTH_cut/c/%d-%d", round, i)
		if _, known := c.acked[name]; known {
			continue
		}
		sum := c.paths.Hash("AUTH_cut", "c", strings.TrimPrefix(name, "/AUTH_cut/c/"))
		got, err := read(c.t.Context(), objects, hex.EncodeToString(sum[:]))
		if !errors.Is(err, fs.ErrNotExist) && (err != nil || got != body(name)) {
			c.t.Errorf("round %d: object %s is torn: %d bytes, %v", round, name, len(got), err)
		}
	}
}

func read(ctx context.Context, objects *store.Objects, hash string) (string, error) {
	o, err := objects.Open(ctx, hash)
	if err != nil {
		return "", err
	}
	defer o.Close()
	text, err := io.ReadAll(io.NewSectionReader(o.Body, 0, o.Size+1))
	return string(text), err
}
