package network

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"understudy/internal/fault"
)

// The reader of an http.Transport waits for the peer before the request is written.
func TestAnswerWhileTheReaderWaits(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer s.Close()
	p, err := fault.Parse("peer verb=SURVEY : answer 507")
	if err != nil {
		t.Fatal(err)
	}
	i := fault.NewInjector(p, nil)
	tr := &http.Transport{DialContext: Answers(i, (&net.Dialer{}).DialContext)}
	defer tr.CloseIdleConnections()
	late := 0
	for n := 0; n < 50; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		req, _ := http.NewRequestWithContext(ctx, "SURVEY", s.URL+"/d1/0", strings.NewReader("x"))
		resp, err := tr.RoundTrip(req)
		if err != nil {
			late++
			if late == 1 {
				t.Logf("request %d: %v", n, err)
			}
		} else {
			if resp.StatusCode != 507 {
				t.Errorf("status %d", resp.StatusCode)
			}
			resp.Body.Close()
		}
		cancel()
		if late > 3 {
			break
		}
	}
	if late > 0 {
		t.Errorf("%d requests without the answer of the plan", late)
	}
}
