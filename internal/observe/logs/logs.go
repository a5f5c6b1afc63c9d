// Package logs writes the engine's log lines where an operator of Swift looks
// for them: to syslog in Swift's own form, or as JSON, or for a person.
//
// A logger never blocks its caller. Lines wait in bounded queues, one for each
// destination; lines that find a queue full are counted, and the count is
// written as a line of its own ("log lines dropped") when there is room again.
//
// # Words
//
// Code that may not import this package (the actors) follows two conventions:
//
//   - An event with the field swift=true carries one of Swift's own lines as its
//     message. Syslog and the console print exactly that message and no fields;
//     JSON prints every field but the marker.
//   - NOTICE lies between info and warning and is no level of zerolog's:
//     l.WithLevel(zerolog.NoLevel).Str("level", "notice"). CRITICAL likewise, as
//     "critical".
//
// Every other event is printed as `message key=value …`, in the order in which the
// fields were added, values quoted when they need it, the field "error" last.
package logs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// The formats of Config.Format.
const (
	FormatSyslog  = "syslog"
	FormatJSON    = "json"
	FormatConsole = "console"
)

const (
	defaultQueueLines   = 8192
	defaultFlushTimeout = 2 * time.Second
	maxQueueBytes       = 16 << 20 // of events waiting for one destination
	maxEventBytes       = 512 << 10
	reportInterval      = time.Second
)

// Config says where the lines go. The zero value is Swift's defaults with the
// name "swift".
type Config struct {
	Format        string    // syslog (default), json or console; the last two write to Stderr
	Name          string    // log_name: Swift's "server" field; default swift
	Facility      string    // log_facility: LOG_LOCAL0 if empty or unknown
	Level         string    // log_level: INFO if empty or unknown
	Address       string    // log_address: a unix socket; default /dev/log
	UDPHost       string    // log_udp_host: overrides Address
	UDPPort       int       // log_udp_port: 0 = 514
	MaxLineLength int       // log_max_line_length in characters: 0 = no limit
	Verbose       bool      // with syslog: a copy of each line on Stderr
	Stderr        io.Writer // default os.Stderr

	QueueLines   int           // lines waiting for one destination; 0 = 8192
	FlushTimeout time.Duration // how long Close waits; 0 = 2 s
}

// Logs is a set of destinations and the logger that writes to them.
type Logs struct {
	Logger zerolog.Logger

	sinks        []*sink
	flushTimeout time.Duration
}

// New opens the destinations. A syslog daemon that does not answer is no error,
// as in Swift: lines wait for it. A host that cannot be resolved, or a log
// address that cannot be examined, is.
//
// Swift: common/utils.py get_logger.
func New(c Config) (*Logs, error) {
	if c.Name == "" {
		c.Name = "swift"
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.QueueLines <= 0 {
		c.QueueLines = defaultQueueLines
	}
	if c.FlushTimeout <= 0 {
		c.FlushTimeout = defaultFlushTimeout
	}
	level := parseLevel(c.Level)
	l := &Logs{flushTimeout: c.FlushTimeout}
	form := swiftForm{name: c.Name, maxLength: c.MaxLineLength}
	stderr := streamOutlet{c.Stderr}
	switch c.Format {
	case "", FormatSyslog:
		out, err := openSyslog(c)
		if err != nil {
			return nil, err
		}
		l.add(c, level, syslogForm{swiftForm: form, facility: facility(c.Facility)}, out)
		if c.Verbose {
			l.add(c, level, streamForm{form}, stderr)
		}
	case FormatJSON:
		l.add(c, level, jsonForm{}, stderr)
	case FormatConsole:
		l.add(c, level, consoleForm{}, stderr)
	default:
		return nil, fmt.Errorf("open log: unknown format %q (syslog, json or console)", c.Format)
	}
	l.Logger = zerolog.New(fanOut(l.sinks)).Level(level.zerolog)
	return l, nil
}

func (l *Logs) add(c Config, level level, f form, out outlet) {
	l.sinks = append(l.sinks, newSink(c.QueueLines, level.severity, f, out))
}

// Dropped is the number of lines that were lost so far, by any destination.
func (l *Logs) Dropped() uint64 {
	var n uint64
	for _, s := range l.sinks {
		n += s.lost.Load()
	}
	return n
}

// Close writes what is waiting and closes the destinations. A destination that
// does not take its lines in time is abandoned, and named in the error. Lines
// logged after Close are discarded. Close must be called once.
func (l *Logs) Close() error {
	for _, s := range l.sinks {
		close(s.closing)
	}
	timeout := time.NewTimer(l.flushTimeout)
	defer timeout.Stop()
	expired := false
	var errs []error
	for _, s := range l.sinks {
		if !expired {
			select {
			case <-s.done:
				continue
			case <-timeout.C:
				expired = true
			}
		}
		close(s.stop)
		select {
		case <-s.done:
		default:
			errs = append(errs, fmt.Errorf("flush log to %s: %d lines left after %s", s.out.name(), len(s.queue)+1, l.flushTimeout))
		}
	}
	return errors.Join(errs...)
}

// fanOut hands each event to every sink. It implements zerolog.LevelWriter.
type fanOut []*sink

func (f fanOut) Write(p []byte) (int, error) { return f.WriteLevel(zerolog.NoLevel, p) }

// WriteLevel never fails: zerolog would print its error on stderr.
func (f fanOut) WriteLevel(l zerolog.Level, p []byte) (int, error) {
	e := entry{at: time.Now(), level: l, json: append([]byte(nil), p...)} // zerolog reuses p
	for _, s := range f {
		s.put(e)
	}
	return len(p), nil
}
