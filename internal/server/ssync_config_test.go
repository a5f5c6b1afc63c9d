package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/store"
	"understudy/messages"
)

// Zero is Swift's default, and Off the zero that Swift gives a meaning.
func TestSsyncDefaults(t *testing.T) {
	d := Ssync{}.withDefaults()
	if d.Concurrency != 4 || d.PerDevice != 1 || d.LockTimeout != 15*time.Second || d.FailureThreshold != 100 || d.FailureRatio != 1 ||
		d.ClientTimeout != time.Minute || d.NetworkChunkSize != 65536 || d.MaxUploadTime != 24*time.Hour {
		t.Errorf("defaults: %+v", d)
	}
	off := Ssync{Concurrency: Off, PerDevice: Off, LockTimeout: Off, FailureThreshold: Off, FailureRatio: Off}.withDefaults()
	if off.Concurrency != 0 || off.PerDevice != 0 || off.LockTimeout != 0 || off.FailureThreshold != 0 || off.FailureRatio != 0 {
		t.Errorf("off: %+v", off)
	}
	set := Ssync{Concurrency: 7, FailureRatio: 0.5, Constraints: Constraints{MaxMetaCount: 3}}.withDefaults()
	if set.Concurrency != 7 || set.FailureRatio != 0.5 || set.Constraints.MaxMetaCount != 3 || set.Constraints.MaxMetaNameLength != 128 {
		t.Errorf("set: %+v", set)
	}
}

// A policy that is not ours is unknown here: 503, which makes no peer put a copy
// elsewhere, unless nothing is replicated at all. The gate passes such requests on
// before, when there is somebody who takes them.
func TestForeignPolicy(t *testing.T) {
	disks := store.New(store.Options{Root: t.TempDir(), Log: zerolog.Nop()})
	ask := func(s *Server, method, policy string) int {
		r := httptest.NewRequest(method, "/sda1/7", nil)
		r.Header.Set(policyHeader, policy)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	cfg := Config{Store: disks, Policies: []messages.Policy{{Index: 0}}, Log: zerolog.Nop(), Ssync: Ssync{Store: disks}}
	none := cfg
	none.NoReplication = true
	for _, method := range []string{methodReplicate, methodSsync} {
		if got := ask(New(cfg), method, "2"); got != http.StatusServiceUnavailable {
			t.Errorf("%s of another policy: %d", method, got)
		}
		if got := ask(New(cfg), method, "0"); got != http.StatusInsufficientStorage {
			t.Errorf("%s of ours: %d", method, got)
		}
		if got := ask(New(none), method, "2"); got != http.StatusMethodNotAllowed {
			t.Errorf("%s with replication_server = false: %d", method, got)
		}
	}
}
