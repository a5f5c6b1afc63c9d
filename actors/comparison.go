package actors

import (
	"context"

	"understudy/internal/plan"
	"understudy/messages"
)

// compared is what a survey has found out about one partition.
type compared struct {
	report messages.DigestReport
	looked bool // there is a report
	same   bool // no peer lacks anything
}

// comparison is the blocking part of a survey: digests from the disk, then one
// exchange with each node.
func comparison(deps *Deps, device string, b *batch) func(context.Context) (any, error) {
	return func(ctx context.Context) (any, error) {
		w := &comparing{deps: deps, device: device, batch: b, results: make([]compared, len(b.jobs))}
		if err := w.digests(ctx); err != nil {
			return nil, err
		}
		w.ask(ctx)
		return w.results, nil
	}
}

type comparing struct {
	*batch
	deps    *Deps
	device  string
	results []compared
}

// digests makes those of the batch, or as many as there is time for.
func (w *comparing) digests(ctx context.Context) error {
	asks := make([]messages.DigestAsk, len(w.jobs))
	for i, s := range w.jobs {
		asks[i] = messages.DigestAsk{Policy: int(s.policy), Number: s.number, List: s.list}
	}
	inTime := w.inTime()
	return w.deps.Store.Digests(ctx, w.device, asks, func(i int, r messages.DigestReport) bool {
		w.results[i].report, w.results[i].looked = r, true
		return inTime()
	})
}

// inTime tells, until then, that there is still time.
func (w *comparing) inTime() func() bool {
	begun := w.deps.Clock.Now()
	return func() bool { return w.deps.Clock.Now().Sub(begun) < surveyLocal }
}

// ask puts the digests to the peers and adds up what they say.
func (w *comparing) ask(ctx context.Context) {
	var asks []messages.SurveyAsk
	var owner []int
	for i, s := range w.jobs {
		r := w.results[i].report
		if !w.results[i].looked || r.Err != nil {
			continue
		}
		for _, at := range w.which[s.from:s.to] {
			asks = append(asks, messages.SurveyAsk{
				Node: w.peers[at], Policy: int(s.policy), Number: s.number, Digest: r.Digest, Suffixes: r.Suffixes,
			})
			owner = append(owner, i)
		}
	}
	answers := w.deps.Lane.Survey(ctx, asks)
	agree := make([]int, len(w.jobs))
	inTime := w.inTime()
	for k, a := range answers {
		if a.Finding == messages.Same || a.Finding == messages.Differs && a.Hashes != nil && inTime() && w.lacksNothing(ctx, owner[k], a.Hashes) {
			agree[owner[k]]++
		}
	}
	for i, s := range w.jobs {
		w.results[i].same = w.results[i].looked && agree[i] == s.to-s.from
	}
}

// lacksNothing tells whether a peer that differs has all that this disk has: what it
// has besides is its own business, for replication pushes.
func (w *comparing) lacksNothing(ctx context.Context, i int, remote messages.Hashes) bool {
	s := w.jobs[i]
	local, err := w.deps.Store.Hashes(ctx, messages.Partition{Device: w.device, Policy: int(s.policy), Number: s.number}, messages.HashOptions{})
	if err != nil || local.Ill != nil {
		return false
	}
	w.results[i].report.Hashed += local.Hashed
	w.results[i].report.Suffixes = len(local.Hashes)
	return len(plan.Differ(local.Hashes, remote)) == 0
}
