package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	maxViewers   = 32               // open pages; each costs a goroutine and a copy of what it shows
	viewEvery    = time.Second      // between two events
	writeTimeout = 10 * time.Second // a viewer who takes nothing for as long is gone
)

// change is one event: what is different since the one before.
type change struct {
	Build    string            `json:"build"`
	At       time.Time         `json:"at"`
	Title    string            `json:"title,omitempty"`
	Icon     string            `json:"icon,omitempty"`
	Sections map[string]string `json:"sections,omitempty"` // id → HTML
	Order    []string          `json:"order,omitempty"`    // all devices' ids, if they are others or in another order
	Trouble  string            `json:"trouble,omitempty"`  // there is no report
}

// viewer remembers what one page shows.
type viewer struct {
	shown map[string]string
	order []string
	title string
}

// stream sends a viewer what changes, until one of the two goes.
func stream(w http.ResponseWriter, r *http.Request, s *studio, viewers chan struct{}) {
	select {
	case viewers <- struct{}{}:
		defer func() { <-viewers }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d pages are open already", maxViewers), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies pass each event on at once
	if r.Method == http.MethodHead {
		return
	}
	out := http.NewResponseController(w)
	v := viewer{shown: map[string]string{}}
	tick := time.NewTicker(viewEvery)
	defer tick.Stop()
	for {
		f, err := s.frame(r.Context())
		if r.Context().Err() != nil {
			return
		}
		if write(w, out, v.next(f, err)) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func write(w http.ResponseWriter, out *http.ResponseController, c change) error {
	text, err := json.Marshal(c) // escapes line ends, and <, > and & as well
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	_ = out.SetWriteDeadline(time.Now().Add(writeTimeout)) // a connection that has none is not bounded by us
	if _, err := fmt.Fprintf(w, "event: page\ndata: %s\n\n", text); err != nil {
		return err
	}
	return out.Flush()
}

// next is what the viewer's page lacks of a frame.
func (v *viewer) next(f *frame, err error) change {
	if err != nil {
		return change{Build: build, At: time.Now().UTC(), Trouble: err.Error()}
	}
	c := change{Build: build, At: f.at, Sections: map[string]string{}}
	if f.view.Title != v.title {
		v.title = f.view.Title
		c.Title, c.Icon = v.title, string(f.view.Icon)
	}
	shown := make(map[string]string, len(f.sections))
	for _, s := range f.sections {
		shown[s.ID] = s.HTML
		if v.shown[s.ID] != s.HTML {
			c.Sections[s.ID] = s.HTML
		}
	}
	v.shown = shown
	if !slices.Equal(v.order, f.devices) {
		v.order, c.Order = f.devices, f.devices
	}
	return c
}
