package network

import (
	"net"
	"os"
	"sync"
	"time"

	"understudy/internal/fault"
)

// deadline is one of a connection, for the time in which a fault holds a call.
type deadline struct {
	mu      sync.Mutex
	at      time.Time     // zero: none
	changed chan struct{} // closed by the next set; nil while nobody waits
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

func (d *deadline) watch() (time.Time, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	return d.at, d.changed
}

// after is a channel that is ready when a time has come; never without one.
func after(d time.Duration, some bool) (<-chan time.Time, func()) {
	if !some {
		return nil, func() {}
	}
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// hold waits until a fault is over: nil. Deadlines and Close are heeded, as by a
// connection that hears nothing.
func (c *conn) hold(d *deadline, h fault.Hit) error {
	left, ends := c.faults.Left(h)
	end, stop := after(left, ends)
	defer stop()
	return c.wait(d, end, h)
}

// pause waits for some time, or until the fault is cleared.
func (c *conn) pause(d *deadline, h fault.Hit, pause time.Duration) error {
	end, stop := after(pause, true)
	defer stop()
	return c.wait(d, end, h)
}

func (c *conn) wait(d *deadline, end <-chan time.Time, h fault.Hit) error {
	for {
		at, changed := d.watch()
		late, stop := after(time.Until(at), !at.IsZero())
		select {
		case <-end:
			stop()
			return nil
		case <-h.Over():
			stop()
			return nil
		case <-c.closed:
			stop()
			return net.ErrClosed
		case <-late:
			return os.ErrDeadlineExceeded
		case <-changed:
			stop()
		}
	}
}
