package page

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"strings"
	"time"

	"understudy/internal/observe/status"
)

// section is a part of the page that is sent anew when it has changed.
type section struct {
	ID   string
	HTML string
}

// frame is the page of one report.
type frame struct {
	at       time.Time // of the report
	made     time.Time // by this process's clock
	view     *nodeView
	sections []section
	devices  []string // ids of the devices' sections, in the order they are shown
	pasts    map[string]past
	rows     map[string]row
	turn     int // counts frames
}

// row is a rendered device. Its ages change each second, which is worth the work for a
// few devices only: of many, some are rendered in turn, and those at once whose vital
// signs have changed.
type row struct{ vital, html string }

// freshRows is how many devices are rendered in turn in each frame, at least.
const freshRows = 20

// due tells whether it is the turn of the i-th of n devices.
func (f *frame) due(i, n int) bool {
	rounds := (n + freshRows - 1) / freshRows
	return rounds <= 1 || i%rounds == f.turn%rounds
}

// vital is what a device's row must not show late.
func vital(d *deviceView) string {
	return fmt.Sprintln(d.State, d.Class, d.Disk, d.Why, d.Paused, d.Stuck, d.Restarts, d.Running, d.Cut, d.Passes)
}

// sectionNames are the templates of all sections but the devices', which are one each.
var sectionNames = []string{"node", "faults", "verdict", "holds", "rates", "settings", "tree", "policies", "peers", "events"}

// past is the rendered history of a device. It is the greatest part of a page and
// changes with each pass only, so it is a section of its own and kept.
type past struct{ key, html string }

// pastKey changes with what a history says; its clock leaves out the report's day.
func pastKey(d *deviceView, at time.Time) string {
	if len(d.past) == 0 {
		return ""
	}
	newest := d.past[len(d.past)-1]
	return fmt.Sprint(at.UTC().YearDay(), len(d.past), newest.Begun.UnixNano(), newest.Ended.UnixNano(), d.Passes)
}

// newFrame renders a report; what it can it takes from the frame before, if there is one.
func newFrame(r *status.Report, before *frame) (*frame, error) {
	f := &frame{at: r.At, view: viewNode(r), pasts: map[string]past{}, rows: map[string]row{}}
	if before != nil {
		f.turn = before.turn + 1
	}
	var b bytes.Buffer
	render := func(name, id string, data any) error {
		b.Reset()
		if err := templates.ExecuteTemplate(&b, name, data); err != nil {
			return fmt.Errorf("render %s: %w", id, err)
		}
		f.sections = append(f.sections, section{ID: id, HTML: b.String()})
		return nil
	}
	for _, name := range sectionNames {
		if err := render(name, name, f.view); err != nil {
			return nil, err
		}
	}
	for i := range f.view.Devices {
		d := &f.view.Devices[i]
		signs := vital(d)
		if known := f.known(d.ID, before); known.vital == signs && !f.due(i, len(f.view.Devices)) {
			f.sections = append(f.sections, section{ID: d.ID, HTML: known.html})
		} else if err := render("device", d.ID, d); err != nil {
			return nil, err
		}
		f.rows[d.ID] = row{signs, f.sections[len(f.sections)-1].HTML}
		f.devices = append(f.devices, d.ID)
		if err := f.remember(d, before, render); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// known is the row of a device in the frame before, if there is one.
func (f *frame) known(id string, before *frame) row {
	if before == nil {
		return row{}
	}
	return before.rows[id]
}

// remember adds the section of a device's past.
func (f *frame) remember(d *deviceView, before *frame, render func(name, id string, data any) error) error {
	id, key := "past-"+d.ID, pastKey(d, f.at)
	if before != nil && before.pasts[id].key == key && before.pasts[id].html != "" {
		f.sections = append(f.sections, section{ID: id, HTML: before.pasts[id].html})
	} else if err := render("past", id, d); err != nil {
		return err
	}
	f.pasts[id] = past{key, f.sections[len(f.sections)-1].HTML}
	return nil
}

// document is the whole page.
func (f *frame) document() ([]byte, error) {
	parts := map[string]template.HTML{}
	var devices bytes.Buffer
	for i, s := range f.sections {
		if i < len(sectionNames) {
			parts[s.ID] = template.HTML(s.HTML) // rendered by html/template above
		} else if _, ok := f.pasts[s.ID]; !ok {
			id := "past-" + s.ID
			devices.WriteString(strings.Replace(s.HTML, `<div class="past" id="`+id+`"></div>`, f.pasts[id].html, 1))
		}
	}
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, "page", map[string]any{
		"View": f.view, "Build": build, "Style": template.CSS(style), "Script": template.JS(script),
		"Parts": parts, "Devices": template.HTML(devices.String()),
	})
	if err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	return b.Bytes(), nil
}

// The bounds of a look at the engine.
const (
	renew    = 900 * time.Millisecond // a frame is shown to all viewers for as long
	patience = 4 * time.Second        // an engine that takes longer does not answer
)

// studio makes frames, at most one at a time, however many viewers there are.
type studio struct {
	engine status.Engine
	turn   chan struct{} // holds a token while nobody makes a frame
	last   *frame        // owned by who holds the token
}

func newStudio(e status.Engine) *studio {
	s := &studio{engine: e, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// frame is the newest one. It comes or fails within patience.
func (s *studio) frame(ctx context.Context) (*frame, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the engine's report: %w", ctx.Err())
	}
	if s.last != nil && time.Since(s.last.made) < renew {
		return s.last, nil
	}
	r, err := s.engine.Report(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the engine for its report: %w", err)
	}
	f, err := newFrame(r, s.last)
	if err != nil {
		return nil, err
	}
	f.made = time.Now()
	s.last = f
	return f, nil
}
