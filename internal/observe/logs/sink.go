package logs

import (
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// entry is one event on its way.
type entry struct {
	at    time.Time
	level zerolog.Level
	json  []byte // shared between sinks: read only
}

// event reads the entry's JSON; what is no JSON becomes the message itself.
func (e entry) event() event {
	ev, err := decode(e.json)
	if err != nil {
		return event{severity: info, message: strings.TrimSuffix(string(e.json), "\n")}
	}
	return ev
}

// outlet is a destination. write may block until stop is closed.
type outlet interface {
	name() string
	write(line []byte, stop <-chan struct{}) error
	close()
}

// sink is a destination with its queue and the one goroutine that empties it.
type sink struct {
	queue   chan entry
	waiting atomic.Int64  // bytes in queue
	dropped atomic.Uint64 // not reported yet
	lost    atomic.Uint64 // ever
	worst   severity      // lines with a greater severity number are not written
	form    form
	out     outlet

	closing chan struct{} // write what is there, then end
	stop    chan struct{} // end now
	done    chan struct{}
}

func newSink(lines int, worst severity, f form, out outlet) *sink {
	s := &sink{
		queue: make(chan entry, lines), worst: worst, form: f, out: out,
		closing: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go s.run()
	return s
}

// put queues an event or drops it; it never waits. The last quarter of the queue
// is kept for lines above info, so that a storm does not drown the bad news.
func (s *sink) put(e entry) {
	n := int64(len(e.json))
	storm := e.level <= zerolog.InfoLevel && len(s.queue) >= cap(s.queue)-cap(s.queue)/4
	if storm || n > maxEventBytes || s.waiting.Load()+n > maxQueueBytes {
		s.drop()
		return
	}
	s.waiting.Add(n)
	select {
	case s.queue <- e:
	default:
		s.waiting.Add(-n)
		s.drop()
	}
}

func (s *sink) drop() {
	s.dropped.Add(1)
	s.lost.Add(1)
}

func (s *sink) run() {
	defer close(s.done)
	defer s.out.close()
	report := time.NewTicker(reportInterval)
	defer report.Stop()
	for {
		select {
		case e := <-s.queue:
			s.write(e)
		case <-report.C:
			s.report()
		case <-s.closing:
			s.flush()
			return
		}
	}
}

func (s *sink) flush() {
	for {
		select {
		case <-s.stop:
			return
		case e := <-s.queue:
			s.write(e)
		default:
			s.report()
			return
		}
	}
}

func (s *sink) write(e entry) {
	s.waiting.Add(-int64(len(e.json)))
	line, ok := s.form.render(e, s.worst)
	if ok && s.out.write(line, s.stop) != nil {
		s.drop()
	}
}

// report writes how many lines were dropped since the last report.
func (s *sink) report() {
	n := s.dropped.Swap(0)
	if n == 0 {
		return
	}
	var b strings.Builder
	l := zerolog.New(&b)
	l.Error().Uint64("lines", n).Msg("log lines dropped")
	line, ok := s.form.render(entry{at: time.Now(), level: zerolog.ErrorLevel, json: []byte(b.String())}, s.worst)
	if ok && s.out.write(line, s.stop) != nil {
		s.dropped.Add(n)
	}
}

// streamOutlet writes to a file or pipe of the process. A write that hangs cannot
// be taken back: Close abandons it.
type streamOutlet struct{ w io.Writer }

func (streamOutlet) name() string { return "stderr" }

func (o streamOutlet) write(line []byte, _ <-chan struct{}) error {
	_, err := o.w.Write(line)
	return err
}

func (streamOutlet) close() {}
