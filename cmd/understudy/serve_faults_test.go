//go:build !nofaults

package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asked is what a client of its own connection sees.
func asked(s *server, limit time.Duration) (status int, err error) {
	r, err := http.NewRequest("REPLICATE", "http://"+s.address+"/d1/7", nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// The first client sees a disk that is gone, the second noise, the third a server in order;
// the log tells of the plan at both ends.
func TestServeWithFaults(t *testing.T) {
	planned(t, "disk device=d1 : error EIO times=1\nnet op=accept : garbage way=out nth=2\n")
	s := startServer(t, "faults_allowed = yes")
	if status, err := asked(s, patience); status != http.StatusInsufficientStorage || err != nil {
		t.Errorf("first: %d %v", status, err)
	}
	if _, err := asked(s, patience); err == nil || !strings.Contains(err.Error(), "malformed HTTP") {
		t.Errorf("second: %v", err)
	}
	if status, err := asked(s, patience); status != http.StatusOK || err != nil {
		t.Errorf("third: %d %v", status, err)
	}
	_ = s.Process.Signal(syscall.SIGTERM)
	if code := s.exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"FAULTS ARE ALLOWED", "FAULT PLAN IN FORCE", "faults injected fault=\"disk device=d1 : error EIO times=1\" fired=1", "nth=2\" fired=1"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, s.log)
		}
	}
}

// A disk that hangs, and whoever waits for it, keeps no server from ending.
func TestServeEndsDuringFaults(t *testing.T) {
	planned(t, "disk : hang\n")
	s := startServer(t, "faults_allowed = yes")
	if status, err := asked(s, time.Second); err == nil {
		t.Errorf("a disk that hangs has answered %d", status)
	}
	cut := make(chan error, 1)
	go func() {
		_, err := asked(s, patience)
		cut <- err
	}()
	_ = s.Process.Signal(syscall.SIGTERM)
	if code := s.exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.log)
	}
	if err := <-cut; err == nil {
		t.Error("the client has got an answer")
	}
	if log := s.log.String(); !strings.Contains(log, "faults injected fault=\"disk : hang\" fired=") || strings.Contains(log, "fired=0") {
		t.Errorf("nothing has hung:\n%s", log)
	}
}

// What may not fail on purpose does not start with a plan, and says why.
func TestServeRefusesFaults(t *testing.T) { refusesPlan(t, "faults_allowed is no in ") }
