package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// publishRound writes the node's numbers after a round, unless the pass was
// restricted: it would not tell how replication is doing.
// Swift: obj/replicator.py update_recon, aggregate_recon_update.
func (r *Recorder) publishRound(c actor.Context, spent time.Duration) {
	if r.opts.Only.Any() {
		return
	}
	stats, ended := r.total(), r.now()
	if r.opts.PerDisk {
		for _, d := range r.disks {
			if d.whole == nil {
				return // Swift waits until every disk has reported once
			}
			spent, ended = min(spent, d.spent), earlier(ended, d.ended)
		}
	}
	r.writeEntries(c, reconEntries(stats, spent, ended))
}

// publishDisk writes one device's numbers in the form of Swift's workers.
func (r *Recorder) publishDisk(c actor.Context, d *disk) {
	if r.opts.Only.Any() {
		return
	}
	r.writeEntries(c, map[string]any{
		diskEntries: map[string]any{d.Device: reconEntries(*d.whole, d.spent, d.ended)},
	})
}

// diskEntries is where Swift's workers tell about each device.
const diskEntries = "object_replication_per_disk"

// forgetOthers removes the entries of devices that are not this node's, also of
// those that have left while no engine ran.
func (r *Recorder) forgetOthers(c actor.Context, ours []string) {
	r.write(c, func(ctx context.Context, recon Recon) error { return recon.Keep(ctx, diskEntries, ours) })
}

// reconEntries are the five keys that Swift's tools read.
func reconEntries(s messages.Stats, spent time.Duration, ended time.Time) map[string]any {
	minutes, last := spent.Minutes(), float64(ended.UnixNano())/1e9
	return map[string]any{
		"replication_stats": s.Recon(),
		"replication_time":  minutes, "replication_last": last,
		"object_replication_time": minutes, "object_replication_last": last,
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
