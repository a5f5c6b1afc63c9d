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
//
// Unlike Swift: a round in which trouble has cut a pass in mid-work does not count
// as one that is complete; the keys go on telling of the last one that was.
func (r *Recorder) publishRound(c actor.Context, spent time.Duration) {
	if r.opts.Only.Any() {
		return
	}
	for _, d := range r.disks {
		if d.split {
			return
		}
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
	perDisk := r.opts.PerDisk
	r.write(c, func(ctx context.Context, recon Recon) error {
		if err := recon.Keep(ctx, stateEntries, ours); err != nil {
			return err
		}
		if !perDisk {
			return nil
		}
		return recon.Keep(ctx, diskEntries, ours)
	})
}

// stateEntries is where recon tells the state of each device, beside Swift's keys.
const stateEntries = "understudy_devices"

// publishState tells recon about a device, when the change that is being written is
// done: a storm of states costs one write.
func (r *Recorder) publishState(c actor.Context, device string) {
	if r.opts.Only.Any() {
		return
	}
	r.dirty[device] = true
	r.publishDirty(c)
}

func (r *Recorder) publishAllStates(c actor.Context) {
	if r.opts.Only.Any() {
		return
	}
	for device := range r.disks {
		r.dirty[device] = true
	}
	r.publishDirty(c)
}

func (r *Recorder) publishDirty(c actor.Context) {
	if r.out || len(r.todo) > 0 || len(r.dirty) == 0 {
		return
	}
	entries := map[string]any{}
	for device := range r.dirty {
		if d := r.disks[device]; d != nil {
			entries[device] = stateEntry(d)
		}
	}
	clear(r.dirty)
	if len(entries) > 0 {
		r.writeEntries(c, map[string]any{stateEntries: entries})
	}
}

func stateEntry(d *disk) map[string]any {
	return map[string]any{
		"state": d.State, "disk": string(d.Disk), "why": d.Why, "since": unixSeconds(d.Since),
		"pass_begun": unixSeconds(d.Begun), "pass_done": d.Done, "pass_jobs": d.Jobs, "pass_complete": unixSeconds(d.Complete),
	}
}

// unixSeconds is null for no time.
func unixSeconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return float64(t.UnixNano()) / 1e9
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
