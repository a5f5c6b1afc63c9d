package rsync

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"understudy/messages"
)

// push runs the rsync of a job within its share of the bandwidth and notes what it has
// sent.
func (t *Transport) push(ctx context.Context, log zerolog.Logger, job messages.SyncJob, argv []string) (exit, error) {
	finish := func(int64) {}
	if t.cfg.Begin != nil {
		share, end, err := t.cfg.Begin(ctx, job.Partition.Device)
		if err != nil {
			return exit{}, err
		}
		argv, finish = slices.Clone(argv), end
		argv[slices.Index(argv, t.bwlimit(0))] = t.bwlimit(share)
	}
	out := &output{}
	end, err := t.run(ctx, log, argv, out, false)
	sent := t.sent(job, out)
	job.Flight.Sent(sent)
	finish(sent)
	return end, err
}

// bwlimit is the option for a share of the bandwidth, bytes a second: the configured one,
// unless the share is less. One with a unit gives way to any share.
func (t *Transport) bwlimit(share int64) string {
	limit := t.cfg.BWLimit
	if share > 0 {
		share = max(1, share/1024)
		if configured, err := strconv.ParseInt(limit, 10, 64); err != nil || configured <= 0 || share < configured {
			limit = strconv.FormatInt(share, 10)
		}
	}
	return "--bwlimit=" + limit
}

// sent is the size of the files that rsync told it has sent, as far as its output was
// kept and they are still there.
func (t *Transport) sent(job messages.SyncJob, out *output) (total int64) {
	dir := filepath.Join(t.cfg.Devices, job.Partition.String())
	for _, name := range out.sent() {
		if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	return total
}

// sent are the names of the files that were sent, from lines like
// "<f+++++++++ 3f2/…/1700000000.00000.data".
func (o *output) sent() (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, part := range [][]byte{o.head, o.tail[max(0, len(o.tail)-keepLast):]} {
		for line := range bytes.SplitSeq(part, []byte("\n")) {
			if !bytes.HasPrefix(line, []byte("<f")) {
				continue
			}
			if _, name, ok := strings.Cut(string(line), " "); ok && filepath.IsLocal(name) {
				names = append(names, name)
			}
		}
	}
	return names
}
