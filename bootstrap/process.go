package bootstrap

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/observe/logs"
	"understudy/internal/process"
)

// OpenLogs opens the log that a configuration asks for; verbose has it on standard
// error, too, for which stderr stands if it is not nil. Its Close waits for flush at the
// most.
func OpenLogs(cfg *config.Config, verbose bool, flush time.Duration, stderr io.Writer) (*logs.Logs, error) {
	return logs.New(logs.Config{
		Format: cfg.Log.Format, Name: cfg.Log.Name, Level: cfg.Log.Level, Facility: cfg.Log.Facility,
		Address: cfg.Log.Address, UDPHost: cfg.Log.UDPHost, UDPPort: cfg.Log.UDPPort,
		MaxLineLength: cfg.Log.MaxLineLength, Stderr: stderr, Verbose: verbose, FlushTimeout: flush,
	})
}

// Warn logs what start-up or a reload has to say about a configuration.
func Warn(log zerolog.Logger, cfg *config.Config) {
	for _, warning := range cfg.Warnings {
		logs.Swift(log.Warn()).Msg(warning)
	}
}

// Notice logs one of Swift's own lines at its level NOTICE.
func Notice(log zerolog.Logger, format string, args ...any) {
	logs.Swift(logs.Notice(log)).Msgf(format, args...)
}

// ioClasses are the names of ioprio_set(2)'s classes, by number.
var ioClasses = []string{1: "IOPRIO_CLASS_RT", 2: "IOPRIO_CLASS_BE", 3: "IOPRIO_CLASS_IDLE"}

// SetPriority gives the process the priority that a configuration asks for. A
// failure is told, on standard output, too, and changes nothing.
func SetPriority(cfg *config.Config, log zerolog.Logger) {
	p := process.Priority{Nice: cfg.Priority.Nice}
	if io := cfg.Priority.IO; io != nil {
		p.IOClass, p.IOPriority = ioClasses[io.Class], io.Level
	}
	process.SetPriority(log, os.Stdout, p)
}

// BecomeDaemon drops the privileges and the ties to whoever started the process.
// swift-init takes the end of its output for the end of the start and may stop it
// in the next instant, so signals are caught from before that.
func BecomeDaemon(cfg *config.Config, verbose bool) (<-chan os.Signal, error) {
	if err := process.DropPrivileges(cfg.User); err != nil {
		return nil, err
	}
	if err := process.Hygiene(); err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	// Caught and thrown away: a reader of standard error that goes must not take
	// the daemon with it. Ignored instead, it would be ignored by rsync, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return signals, process.RedirectStdio(verbose || cfg.Log.Format != logs.FormatSyslog)
}
