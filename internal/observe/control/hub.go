package control

import (
	"context"
	"sync"
	"time"

	"understudy/internal/observe/status"
)

// hub tells any number of watchers how the engine is. There is one report for all
// that are due at a tick, encoded once, and none when nobody is.
type hub struct {
	reports *reporter
	limits  limits
	wake    chan struct{}

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

// watcher is one who watches.
type watcher struct {
	frames chan []byte // the newest that it has not taken
	every  int         // ticks
	left   int         // until it is due
}

func newHub(r *reporter, l limits) *hub {
	return &hub{reports: r, limits: l, wake: make(chan struct{}, 1), watchers: map[*watcher]struct{}{}}
}

// join adds a watcher who is told each so many ticks, or nil when there are too many.
func (h *hub) join(every int) *watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) >= h.limits.watchers {
		return nil
	}
	w := &watcher{frames: make(chan []byte, 1), every: every, left: every}
	h.watchers[w] = struct{}{}
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return w
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// run ticks while anybody watches.
func (h *hub) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			h.ticks(ctx)
		}
	}
}

func (h *hub) ticks(ctx context.Context) {
	t := time.NewTicker(h.limits.tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		due, any := h.due()
		if !any {
			return // the next who joins wakes it
		}
		if len(due) > 0 {
			h.tell(due, frame(h.reports.get(ctx)))
		}
	}
}

// due counts a tick and returns whose turn it is.
func (h *hub) due() (due []*watcher, any bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if w.left--; w.left <= 0 {
			w.left = w.every
			due = append(due, w)
		}
	}
	return due, len(h.watchers) > 0
}

// tell gives a frame to watchers. One that has not taken the last misses it.
func (h *hub) tell(to []*watcher, data []byte) {
	for _, w := range to {
		select {
		case w.frames <- data:
		default:
		}
	}
}

// frame is a server-sent event: a report, or why there is none.
func frame(r *status.Report, err error) []byte {
	name, v := eventReport, any(r)
	if err != nil {
		name, v = eventTrouble, problem{err.Error()}
	}
	data, err := encode(v)
	if err != nil {
		name = eventTrouble
		data = []byte(`{"error":"the report cannot be written as JSON"}` + "\n")
	}
	return append(append([]byte("event: "+name+"\ndata: "), data...), '\n')
}

// The kinds of events.
const (
	eventReport  = "report"
	eventTrouble = "trouble"
)
