package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"understudy/internal/observe/status"
)

// dryRunTime is less than the server has for an answer.
const dryRunTime = 25 * time.Second

// DryRun tells what a pass would do now: a value that becomes JSON.
type DryRun func(ctx context.Context, ask status.DryRun) (any, error)

// dryRun answers with what a pass would do. It reads disks and asks peers, so there is
// one at a time, only on the socket, and it ends when nobody waits for it any more. One
// that hangs on a disk keeps its place until the disk answers.
func (s *Server) dryRun(w http.ResponseWriter, r *http.Request) {
	var ask status.DryRun
	if err := read(w, r, &ask); err != nil {
		s.refuse(w, err)
		return
	}
	if err := checkDryRun(&ask); err != nil {
		s.refuse(w, err)
		return
	}
	select {
	case s.dry <- struct{}{}:
	default:
		fail(w, http.StatusConflict, "a dry run is at work")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), dryRunTime)
	defer cancel()
	answers := begin(s.dry, "dry run", func() (any, error) { return s.cfg.DryRun(ctx, ask) })
	var a answer[any]
	select {
	case a = <-answers:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	switch {
	case errors.Is(a.err, context.DeadlineExceeded):
		fail(w, http.StatusServiceUnavailable, fmt.Sprintf("the dry run has not ended in %s: ask for fewer partitions or one device", dryRunTime))
	case a.err != nil:
		s.refuse(w, a.err)
	default:
		reply(w, http.StatusOK, a.value)
	}
}

func checkDryRun(ask *status.DryRun) error {
	switch {
	case ask.Limit == 0:
		ask.Limit = status.DryRunLimit
	case ask.Limit < 0 || ask.Limit > status.DryRunMost:
		return status.Refuse("limit must be 1 to %d, not %d", status.DryRunMost, ask.Limit)
	}
	if n := len(ask.Partitions); n > mostPartitions {
		return status.Refuse("partitions must be at most %d, not %d", mostPartitions, n)
	}
	return nil
}
