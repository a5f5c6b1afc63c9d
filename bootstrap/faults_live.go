package bootstrap

import (
	"fmt"
	"sync"
	"time"

	"understudy/internal/fault"
	"understudy/internal/observe/status"
)

// planTime is when a plan began that was applied to a running engine, and when it ends by
// itself. Of the plan that a process has begun with all is zero.
type planTime struct {
	mu           sync.Mutex
	since, until time.Time
	timer        *time.Timer
}

func (p *planTime) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer, p.since, p.until = nil, time.Time{}, time.Time{}
}

// applyFaults puts a plan in force for some time.
func (e *Engine) applyFaults(c status.ApplyFaults) (*status.Done, error) {
	faults := e.faults()
	if faults == nil {
		return nil, e.noFaults()
	}
	plan, err := fault.Parse(c.Plan)
	if err != nil {
		return nil, status.Refuse("%v", err)
	}
	length := c.For
	if length == 0 {
		length = status.FaultsFor
	}
	switch {
	case len(plan.Faults) == 0:
		return nil, status.Refuse("the plan has no fault")
	case length < 0 || length > status.FaultsMost:
		return nil, status.Refuse("a fault plan cannot last %s, at most %s", length, status.FaultsMost)
	}
	e.plan.mu.Lock()
	defer e.plan.mu.Unlock()
	e.plan.stop()
	e.tellInjected()
	faults.Load(plan)
	e.plan.since = time.Now()
	e.plan.until = e.plan.since.Add(length)
	until := e.plan.until
	e.plan.timer = time.AfterFunc(length, func() { e.planIsOver(until) })
	for _, f := range plan.Faults {
		e.log.Warn().Str("fault", f.String()).Dur("for", length).Msg("FAULT PLAN IN FORCE")
	}
	done := &status.Done{Message: fmt.Sprintf("%d faults are in force for %s", len(plan.Faults), length), Count: len(plan.Faults)}
	for _, f := range warnOfStalls(e.log, plan) {
		done.Message += fmt.Sprintf("\nwarning: %s: %s", f, stallWarning)
	}
	return done, nil
}

// planIsOver ends a plan whose time is over, unless another has taken its place.
func (e *Engine) planIsOver(until time.Time) {
	e.plan.mu.Lock()
	defer e.plan.mu.Unlock()
	if e.plan.until == until {
		e.endPlan("its time is over")
	}
}

// endPlan ends the plan in force. The caller holds plan.mu.
func (e *Engine) endPlan(why string) {
	e.plan.stop()
	e.settings.Faults.Clear()
	e.tellInjected()
	e.log.Warn().Str("why", why).Msg("fault plan ended")
}

func (e *Engine) clearFaults() (*status.Done, error) {
	faults := e.faults()
	if faults == nil {
		return nil, e.noFaults()
	}
	e.plan.mu.Lock()
	defer e.plan.mu.Unlock()
	if !faults.Active() {
		return nil, status.Refuse("no fault plan is in force")
	}
	e.endPlan("cleared by an operator")
	done := &status.Done{}
	for _, c := range faults.Counts() {
		done.Count += c.Fired
	}
	done.Message = fmt.Sprintf("the fault plan is cleared; faults that happened: %d", done.Count)
	return done, nil
}

// noFaults refuses a plan.
func (e *Engine) noFaults() error {
	if !FaultsBuilt {
		return &status.Refusal{Forbidden: true, Why: errNoFaults.Error()}
	}
	e.mu.Lock()
	path := e.parts.cfg.Path
	e.mu.Unlock()
	return &status.Refusal{Forbidden: true, Why: "faults are not allowed here: faults_allowed is no in " + path}
}

// tellInjected logs what a plan that was in force has done.
func (e *Engine) tellInjected() { TellInjected(e.log, e.settings.Faults) }

// faultsInForce is nil when no plan is. at is now by the engine's clock, which the plan may
// have made jump; the times are by that clock, as all of a report's.
func (e *Engine) faultsInForce(at time.Time) *status.Faults {
	faults := e.faults()
	if !faults.Active() {
		return nil
	}
	f := &status.Faults{Since: e.started.UTC(), Plan: faults.Plan().String()}
	e.plan.mu.Lock()
	if !e.plan.since.IsZero() {
		jumped := time.Until(at).Round(time.Second)
		f.Since, f.Until = e.plan.since.UTC().Add(jumped), e.plan.until.UTC().Add(jumped)
	}
	e.plan.mu.Unlock()
	for _, c := range faults.Counts() {
		f.Counts = append(f.Counts, status.FaultCount{Fault: c.Fault, Seen: c.Seen, Fired: c.Fired})
		f.Fired += c.Fired
	}
	return f
}
