package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/server"
	"understudy/internal/server/swifttest"
	"understudy/internal/swift/hashes"
)

// direct runs testdata/direct.py against an address.
func direct(t *testing.T, address string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/direct.py", host, port)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift's direct_client with /usr/bin/python3 (install python3-swift): %v\n%s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// A stock object server behind ours: what Swift's services do with objects through
// our port ends as it does without us, and so does replication of a policy of
// erasure coding; our own policies' REPLICATE is answered by us, from the same disk.
func TestStockServerBehindOurs(t *testing.T) {
	alone, root := tree(t), tree(t)
	wanted := direct(t, swifttest.ObjectServer(t, alone))
	stock := swifttest.ObjectServer(t, root)
	ours := start(t, server.New(server.Config{
		Store: newStore(root), Policies: policies, Version: "2.30.1", PassTo: server.PassTo{Address: stock},
	}))
	got := direct(t, ours)
	if len(wanted) != 13 || strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("through us:\n%s\nSwift alone:\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
	for _, line := range wanted { // the script must not pass by failing
		var step []any
		if err := json.Unmarshal([]byte(line), &step); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(step[0].(string), "get chunked") && !strings.Contains(line, "3000000") {
			t.Errorf("Swift alone: %s", line)
		}
	}
	erasure := request("REPLICATE /sda1/7", "X-Backend-Storage-Policy-Index: 2")
	want, have := ask(t, stock, erasure), ask(t, ours, erasure)
	if have != want || want.status != 200 || len(want.body) < 40 {
		t.Errorf("erasure coding: %+v, Swift answers %+v", have, want)
	}
	// The object that went to the stock server shows in our hashes, and in Swift's.
	mine, theirs := ask(t, ours, request("REPLICATE /sda1/7")), ask(t, stock, request("REPLICATE /sda1/7"))
	m, err := hashes.DecodeWire([]byte(mine.body))
	if err != nil || len(m) != 4 || mine.status != 200 {
		t.Fatalf("%v, %v", m, err)
	}
	w, err := hashes.DecodeWire([]byte(theirs.body))
	if err != nil {
		t.Fatal(err)
	}
	for suffix, hash := range w {
		if m[suffix] != hash {
			t.Errorf("%s: %s, Swift has %s", suffix, m[suffix], hash)
		}
	}
	if found, err := filepath.Glob(filepath.Join(root, "sda1/objects-2/7/*/*/*#1*.data")); err != nil || len(found) != 1 {
		t.Errorf("the fragment: %v, %v", found, err)
	}
	// OPTIONS tells what can be done here, as Swift's does.
	for _, address := range []string{ours, stock} {
		resp := options(t, address)
		if resp != "200 DELETE, GET, HEAD, OPTIONS, POST, PUT, REPLICATE, SSYNC object-server/2.30.1" && resp != "200 DELETE, GET, HEAD, OPTIONS, POST, PUT, REPLICATE object-server/2.30.1" {
			t.Errorf("%s: %s", address, resp)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "sdz9")); err == nil {
		t.Error("a device was made")
	}
}

// options is what an address answers to OPTIONS.
func options(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodOptions, "http://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Allow"), " ", resp.Header.Get("Server"))
}
