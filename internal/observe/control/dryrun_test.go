package control

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"understudy/internal/observe/status"
)

// A dry run is asked for on the socket, with limits, one at a time.
func TestDryRun(t *testing.T) {
	asked := make(chan status.DryRun, 1)
	letGo := make(chan struct{})
	r := start(t, newFake(), func(c *Config) {
		c.DryRun = func(_ context.Context, ask status.DryRun) (any, error) {
			switch ask.Device {
			case "sdz":
				return nil, &status.Refusal{Unknown: true, Why: "there is no device \"sdz\""}
			case "hangs":
				asked <- ask
				<-letGo
			case "bug":
				panic("a bug")
			}
			return map[string]int{"limit": ask.Limit}, nil
		}
	})
	var got map[string]int
	if err := r.client.DryRun(t.Context(), status.DryRun{}, &got); err != nil || got["limit"] != status.DryRunLimit {
		t.Errorf("%v, %v", got, err)
	}
	for _, c := range []struct {
		ask  status.DryRun
		says string
	}{
		{status.DryRun{Limit: -1}, "limit must be 1 to 10000, not -1"},
		{status.DryRun{Limit: 10001}, "limit must be 1 to 10000, not 10001"},
		{status.DryRun{Partitions: make([]uint32, 1001)}, "partitions must be at most 1000, not 1001"},
		{status.DryRun{Device: "sdz"}, `there is no device "sdz"`},
		{status.DryRun{Device: "bug"}, "panic: a bug"},
	} {
		if err := r.client.DryRun(t.Context(), c.ask, &got); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.ask, err)
		}
	}
	waits := make(chan error, 1)
	go func() { waits <- r.client.DryRun(t.Context(), status.DryRun{Device: "hangs"}, &got) }()
	select {
	case <-asked:
	case err := <-waits:
		t.Fatalf("it was not asked for: %v", err)
	}
	answer, err := r.client.send(t.Context(), http.MethodPost, "/v1/dry-run", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusConflict {
		t.Errorf("a second one at once: %s", answer.Status)
	}
	close(letGo)
	if err := <-waits; err != nil {
		t.Error(err)
	}
	if err := r.client.DryRun(t.Context(), status.DryRun{}, &got); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// Who has been answered may ask again at once: the place is free before the answer.
func TestDryRunAgainAtOnce(t *testing.T) {
	r := start(t, newFake(), func(c *Config) {
		c.DryRun = func(context.Context, status.DryRun) (any, error) { return struct{}{}, nil }
	})
	for i := range 500 {
		if err := r.client.DryRun(t.Context(), status.DryRun{}, &struct{}{}); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
	}
}

// A dry run that hangs on a disk does not keep who asked, and ends with who hung up.
func TestDryRunNobodyWaitsFor(t *testing.T) {
	ended := make(chan error, 1)
	r := start(t, newFake(), func(c *Config) {
		c.DryRun = func(ctx context.Context, _ status.DryRun) (any, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, fmt.Errorf("dry run: %w", ctx.Err())
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() { asked <- r.client.DryRun(ctx, status.DryRun{}, &struct{}{}) }()
	eventually(t, "it is at work", func() bool { return len(r.dry) == 1 })
	cancel()
	if err := <-asked; err == nil {
		t.Error("no error")
	}
	if err := <-ended; err == nil {
		t.Error("it went on")
	}
}
