package actors

import (
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
	r.write(c, reconEntries(stats, spent, ended))
}

// publishDisk writes one device's numbers in the form of Swift's workers.
func (r *Recorder) publishDisk(c actor.Context, d *disk) {
	if r.opts.Only.Any() {
		return
	}
	r.write(c, map[string]any{
		"object_replication_per_disk": map[string]any{d.Device: reconEntries(*d.whole, d.spent, d.ended)},
	})
}

// forget removes devices that are no longer this node's.
func (r *Recorder) forget(c actor.Context, devices []string) {
	gone := map[string]any{}
	for _, name := range devices {
		gone[name] = map[string]any{} // an empty entry deletes the key
	}
	r.write(c, map[string]any{"object_replication_per_disk": gone})
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
