package fault

import "time"

// Over is closed when the fault's plan is cleared or replaced.
func (h Hit) Over() <-chan struct{} { return h.of.over }

// Left is how long the fault lasts by itself; ok is false when it has no end of its own.
func (i *Injector) Left(h Hit) (left time.Duration, ok bool) {
	if h.until == 0 {
		return 0, false
	}
	return max(0, h.until-i.now()), true
}

// Hold does not return until the fault is over, by its own time or by Clear, or until
// one of two channels is closed, which may be nil.
func (i *Injector) Hold(h Hit, first, second <-chan struct{}) {
	var end <-chan time.Time
	if left, ok := i.Left(h); ok {
		t := time.NewTimer(left)
		defer t.Stop()
		end = t.C
	}
	select {
	case <-end:
	case <-h.Over():
	case <-first:
	case <-second:
	}
}

// Delay waits as the fault says, or until it is cleared or a channel is closed, which
// may be nil.
func (i *Injector) Delay(h Hit, stop <-chan struct{}) {
	t := time.NewTimer(h.Duration())
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.Over():
	case <-stop:
	}
}

// Lasts tells whether a fault is not over yet.
func (i *Injector) Lasts(h Hit) bool {
	select {
	case <-h.Over():
		return false
	default:
	}
	left, ends := i.Left(h)
	return !ends || left > 0
}
