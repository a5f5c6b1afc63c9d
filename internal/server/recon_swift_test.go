package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"understudy/internal/server"
	"understudy/internal/server/swifttest"
	"understudy/internal/store"
)

// reconNode makes a devices directory and a folder of what recon reads.
func reconNode(t *testing.T) (devices, etc string) {
	t.Helper()
	devices, etc = t.TempDir(), t.TempDir()
	for _, dir := range []string{
		"sda1", "sdb1", "sdc1/quarantined", "sda1/quarantined/objects/a", "sda1/quarantined/objects/b", "sda1/quarantined/objects-1/c",
		"sdb1/quarantined/containers/d", "sdb1/quarantined/accounts/e", "sdb1/quarantined/objects-1/f", "sdb1/quarantined/objects-2",
	} {
		if err := os.MkdirAll(filepath.Join(devices, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		filepath.Join(devices, "sda1/.ismount"): "",
		filepath.Join(devices, "a file"):        "",
		filepath.Join(etc, "object.ring.gz"):    "one",
		filepath.Join(etc, "object-2.ring.gz"):  "two",
		filepath.Join(etc, "account.ring.gz"):   "three",
		filepath.Join(etc, "object.recon"): `{"async_pending": 5, "async_pending_last": 1.5, "replication_time": 0.25, "replication_last": 1795384840.35844,
			"replication_stats": {"attempted": 3, "failure_nodes": {"10.0.0.1": {"sdü": 1}}, "start": NaN}, "object_replication_time": 2,
			"object_updater_sweep": 1e-07, "object_auditor_stats_ALL": {"audit_time": 1}, "expired_last_pass": null}`,
		filepath.Join(etc, "drive.recon"):     "not JSON",
		filepath.Join(etc, "container.recon"): "[1]",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return devices, etc
}

func reconServer(devices, etc string) *server.Server {
	mounts := store.New(store.Options{Root: devices, MountCheck: true, Log: zerolog.Nop()})
	rings := []string{}
	for _, name := range []string{"account", "container", "object", "object-1", "object-2"} {
		rings = append(rings, filepath.Join(etc, name+".ring.gz"))
	}
	return server.New(server.Config{
		Store: newStore(devices), Policies: policies, Log: zerolog.Nop(), Version: "2.30.1",
		Recon: server.Recon{Devices: devices, Cache: etc, Rings: rings, SwiftConf: filepath.Join(etc, "swift.conf"), Mounted: mounts.Check},
	})
}

// Every answer of Swift's recon middleware has ours beside it: the same status and
// type, the same keys, and the same values where they do not change by the moment.
func TestReconIsSwifts(t *testing.T) {
	devices, etc := reconNode(t)
	theirs := swifttest.ObjectServerIn(t, etc, devices)
	ours := start(t, reconServer(devices, etc))
	type question struct {
		path string
		like bool // keys only
	}
	questions := []question{{"mem", true}, {"load", true}, {"sockstat", true}, {"time", true}, {"mounted", true}}
	for _, path := range []string{
		"version", "async", "replication", "replication/object", "replication/container", "replication/account", "replication/proxy",
		"reconstruction/object", "reconstruction", "updater/object", "updater/container", "updater/account", "updater", "expirer/object", "expirer",
		"auditor/object", "auditor/container", "auditor/account", "auditor", "devices", "unmounted", "diskusage", "ringmd5", "swiftconfmd5",
		"quarantined", "driveaudit", "sharding", "relinker", "bogus", "bo%20gus/x", "async/more", "devices/a/b",
	} {
		questions = append(questions, question{path, false})
	}
	for _, q := range questions {
		for _, method := range []string{"GET", "HEAD"} {
			req := request(method + " /recon/" + q.path)
			want, got := ask(t, theirs, req), ask(t, ours, req)
			for tries := 0; q.path == "diskusage" && tries < 100; tries++ { // somebody else may write to the disk meanwhile
				again := ask(t, theirs, req)
				if again.body == want.body {
					break
				}
				want, got = again, ask(t, ours, req)
			}
			if got.status != want.status || got.contentType != want.contentType {
				t.Errorf("%s %s: got %+v, Swift answers %+v", method, q.path, got, want)
				continue
			}
			if method == "HEAD" || want.status != 200 {
				if got.body != want.body {
					t.Errorf("%s %s: %q, Swift answers %q", method, q.path, got.body, want.body)
				}
				continue
			}
			w, g := unpack(t, want.body, etc), unpack(t, got.body, etc)
			if q.like {
				w, g = keys(w), keys(g)
			}
			if !reflect.DeepEqual(w, g) {
				t.Errorf("%s:\n got %v\nwant %v\n(%s)", q.path, g, w, got.body)
			}
		}
	}
}

// unpack reads what Python writes; lists have no order of their own. Swift's conf is
// in a namespace of its own.
func unpack(t *testing.T, text, etc string) any {
	t.Helper()
	text = strings.NewReplacer("NaN", `"NaN"`, "/etc/swift/swift.conf", etc+"/swift.conf").Replace(text)
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return sorted(v)
}

func sorted(v any) any {
	switch v := v.(type) {
	case []any:
		slices.SortFunc(v, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	case map[string]any:
		for key := range v {
			v[key] = sorted(v[key])
		}
	}
	return v
}

// keys are the names and kinds of an answer.
func keys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		list := slices.Sorted(maps.Keys(v))
		for i, key := range list {
			list[i] = fmt.Sprintf("%s %T", key, v[key])
		}
		return list
	case []any:
		return keys(v[0])
	}
	return fmt.Sprintf("%T", v)
}

// A device that hangs is said not to answer; the others are told of.
func TestReconOfAHungDevice(t *testing.T) {
	devices, etc := reconNode(t)
	hung := make(chan struct{})
	defer close(hung)
	s := server.New(server.Config{Store: newStore(devices), Log: zerolog.Nop(), Recon: server.Recon{
		Devices: devices, Cache: etc, Patience: 50e6,
		Mounted: func(_ context.Context, device string) error {
			if device == "sdb1" {
				<-hung
			}
			return nil
		},
	}})
	address := start(t, s)
	for range 12 { // more often than there are places
		got := ask(t, address, request("GET /recon/unmounted"))
		if got.body != `[{"device":"sdb1","mounted":"the device does not answer"}]` {
			t.Fatal(got)
		}
	}
	got := ask(t, address, request("GET /recon/diskusage"))
	if !strings.Contains(got.body, `{"device":"sdb1","mounted":"the device does not answer","size":"","used":"","avail":""}`) || !strings.Contains(got.body, `"device":"sdc1","mounted":true,"size":`) {
		t.Error(got)
	}
}

func TestHealthIsDisabledByAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "off")
	address := start(t, server.New(server.Config{Log: zerolog.Nop(), DisablePath: file}))
	if got := ask(t, address, request("GET /healthcheck")); got.status != 200 || got.body != "OK" {
		t.Error(got)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, address, request("GET /healthcheck")); got.status != 503 || got.body != "DISABLED BY FILE" {
		t.Error(got)
	}
}
