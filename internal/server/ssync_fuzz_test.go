package server_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/server"
	"understudy/internal/store"
)

// duplex is a ResponseWriter of a connection that takes all.
type duplex struct{ httptest.ResponseRecorder }

func (*duplex) EnableFullDuplex() error          { return nil }
func (*duplex) SetReadDeadline(time.Time) error  { return nil }
func (*duplex) SetWriteDeadline(time.Time) error { return nil }

// FuzzSsync sends anything: nothing but whole objects is stored, below the device and
// under their own hashes, and the answer ends well only after both phases.
func FuzzSsync(f *testing.F) {
	h := hashOf("/a/c/o")
	for _, text := range []string{
		begin + end, missing, ":MISSING_CHECK: START\r\n" + h + " " + at0 + " m:1,t:-1\r\n:MISSING_CHECK: END\r\n:UPDATES: START\r\n",
		begin + putReq("/a/c/o", "body") + subreq("POST", "/a/c/o", "X-Timestamp: "+at1, "Content-Type: t", "Content-Type-Timestamp: "+at1) + subreq("DELETE", "/a/c/o", "X-Timestamp: "+at2) + end,
		begin + putReq("/a/c/../../../x", "y", "X-Object-Meta-\xc3\xa9: \xff") + end, begin + "PUT /%00/%ff/%2e\r\nContent-Length: 5\r\n\r\nx", begin + "DELETE /a/c/o\n\n" + end,
		"\n\n\n", ":MISSING_CHECK: START\n%2e%2e/ x\n",
	} {
		f.Add([]byte(text))
	}
	root, err := os.MkdirTemp("/dev/shm", "ssync-fuzz")
	if err != nil {
		root = f.TempDir()
	}
	f.Cleanup(func() { _ = os.RemoveAll(root) })
	f.Fuzz(func(t *testing.T, text []byte) {
		dir, err := os.MkdirTemp(root, "x")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := os.Mkdir(filepath.Join(dir, "sda1"), 0o755); err != nil {
			t.Fatal(err)
		}
		disks := store.New(store.Options{Root: dir, ReclaimAge: 100 * 365 * 24 * time.Hour, Log: zerolog.Nop()})
		s := server.New(server.Config{
			Store: disks, Policies: policies, Log: zerolog.Nop(),
			Ssync: server.Ssync{Store: disks, Paths: secrets, NetworkChunkSize: 512, WantLimit: 1 << 12, Write: store.WriteRules{Reserve: &store.Reserve{}}},
		})
		w := &duplex{*httptest.NewRecorder()}
		r := httptest.NewRequest("SSYNC", "/sda1/7", bytes.NewReader(text))
		aborted := func() (aborted bool) {
			defer func() {
				if p := recover(); p != nil && p != http.ErrAbortHandler {
					panic(p)
				} else if p != nil {
					aborted = true
				}
			}()
			s.ServeHTTP(w, r)
			return false
		}()
		if well := strings.HasSuffix(w.Body.String(), ":UPDATES: START\r\n:UPDATES: END\r\n"); well == aborted {
			t.Errorf("ended well: %v, %q", well, w.Body.String())
		}
		onlyWhole(t, dir, func(string, string) bool { return true })
		for _, pattern := range []string{"*", "sda1/*", "sda1/objects/*"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, path := range found {
				if !slices.Contains([]string{"sda1", ".lock", "objects", "7"}, filepath.Base(path)) {
					t.Errorf("made %s", path)
				}
			}
		}
	})
}
