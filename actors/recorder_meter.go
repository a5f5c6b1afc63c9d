package actors

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// meter makes rates of numbers that only grow. It is read every sampleEvery while a
// round runs.
type meter struct {
	totals  messages.Totals  // of the node; a disk's are in its DeviceSnapshot
	samples []sampled        // of the last minute, the oldest first
	plot    []messages.Point // the node's, of the last minutes
}

type sampled struct {
	at     time.Time
	totals messages.Totals
}

const (
	sampleEvery = 5 * time.Second
	mostSamples = int(time.Minute/sampleEvery) + 1
	mostPoints  = int(10 * time.Minute / sampleEvery)
)

// sampleDue makes the recorder read its meters. Sender: its own timer.
type sampleDue struct{}

// IgnoreDeadLetterLogging: the recorder may have ended meanwhile.
func (*sampleDue) IgnoreDeadLetterLogging() {}

// startSampling reads the meters now and from now on.
func (r *Recorder) startSampling(c actor.Context) {
	r.readMeters()
	r.sampling.set(c, r.deps.Clock, sampleEvery, &sampleDue{})
}

// sampled reads the meters. The last reading is that after the end of a round.
func (r *Recorder) sampled(c actor.Context) {
	r.readMeters()
	if r.round != nil {
		r.sampling.set(c, r.deps.Clock, sampleEvery, &sampleDue{})
	}
}

func (r *Recorder) readMeters() {
	now, totals := r.now(), r.flying()
	if n := len(r.node.samples); n > 0 {
		last := r.node.samples[n-1]
		r.node.plot = lastOf(append(r.node.plot, messages.Point{At: now, Rates: between(last, sampled{now, totals})}), mostPoints)
	}
	r.node.read(now, totals)
	for _, d := range r.disks {
		d.meter.read(now, d.flying())
	}
}

func (m *meter) read(now time.Time, totals messages.Totals) {
	m.samples = lastOf(append(m.samples, sampled{now, totals}), mostSamples)
}

// rates are means since the oldest sample that is not older than a minute.
func (m *meter) rates(now time.Time, totals messages.Totals) messages.Rates {
	for _, s := range m.samples {
		if now.Sub(s.at) <= time.Minute {
			return between(s, sampled{now, totals})
		}
	}
	return messages.Rates{}
}

func between(a, b sampled) (r messages.Rates) {
	if spent := b.at.Sub(a.at).Seconds(); spent > 0 {
		r.Jobs, r.Bytes = float64(b.totals.Jobs-a.totals.Jobs)/spent, float64(b.totals.Bytes-a.totals.Bytes)/spent
	}
	return r
}

func lastOf[T any](s []T, n int) []T {
	if len(s) <= n {
		return s
	}
	return slices.Clone(s[len(s)-n:])
}

// flying are a disk's totals with what its jobs at work have sent so far.
func (d *disk) flying() messages.Totals {
	t := d.Totals
	for f, flying := range d.flights {
		if flying {
			t.Bytes += f.Bytes()
		}
	}
	return t
}

// flying are the node's.
func (r *Recorder) flying() messages.Totals {
	t := r.node.totals
	for _, d := range r.disks {
		t.Bytes += d.flying().Bytes - d.Totals.Bytes
	}
	return t
}
