package logs

import (
	"strings"

	"github.com/rs/zerolog"
)

// Field names with a meaning of their own.
const (
	swiftField = "swift"
	levelField = "level"
	errorField = "error"
)

// Swift marks an event whose message is one of Swift's own lines.
func Swift(e *zerolog.Event) *zerolog.Event { return e.Bool(swiftField, true) }

// Notice starts an event of Swift's NOTICE level.
func Notice(l zerolog.Logger) *zerolog.Event {
	return l.WithLevel(zerolog.NoLevel).Str(levelField, "notice")
}

// Critical starts an event of Swift's CRITICAL level. It ends no program.
func Critical(l zerolog.Logger) *zerolog.Event {
	return l.WithLevel(zerolog.NoLevel).Str(levelField, "critical")
}

// Severity as in syslog: a smaller number is worse.
type severity int

const (
	critical severity = 2
	failure  severity = 3
	warning  severity = 4
	notice   severity = 5
	info     severity = 6
	debug    severity = 7
)

func (s severity) String() string {
	switch s {
	case critical:
		return "CRITICAL"
	case failure:
		return "ERROR"
	case warning:
		return "WARNING"
	case notice:
		return "NOTICE"
	case info:
		return "INFO"
	default:
		return "DEBUG"
	}
}

// severities holds the names that events carry in their level field.
var severities = map[string]severity{
	"trace": debug, "debug": debug, "info": info, "notice": notice, "warn": warning,
	"error": failure, "fatal": critical, "panic": critical, "critical": critical,
}

// level is a threshold. Both halves are needed: zerolog filters its own levels
// before an event is made, but lets NOTICE and CRITICAL (its NoLevel) through.
type level struct {
	zerolog  zerolog.Level
	severity severity
}

// parseLevel reads log_level: a name that Python's logging module has as a
// constant, in any case. NOTICE is none of them, so it means INFO, and NOTSET
// means the level of Python's root logger, WARNING.
//
// Swift: common/utils.py get_logger.
func parseLevel(name string) level {
	switch strings.ToUpper(name) {
	case "DEBUG":
		return level{zerolog.DebugLevel, debug}
	case "WARNING", "WARN", "NOTSET":
		return level{zerolog.WarnLevel, warning}
	case "ERROR":
		return level{zerolog.ErrorLevel, failure}
	case "CRITICAL", "FATAL":
		return level{zerolog.FatalLevel, critical}
	default:
		return level{zerolog.InfoLevel, info}
	}
}

// facilities holds the numbers that log_facility's names stand for. Swift looks
// the name up among all LOG_ constants of Python's SysLogHandler, so the names of
// severities are taken as well, by their number.
var facilities = map[string]int{
	"LOG_KERN": 0, "LOG_USER": 1, "LOG_MAIL": 2, "LOG_DAEMON": 3, "LOG_AUTH": 4,
	"LOG_SYSLOG": 5, "LOG_LPR": 6, "LOG_NEWS": 7, "LOG_UUCP": 8, "LOG_CRON": 9,
	"LOG_AUTHPRIV": 10, "LOG_FTP": 11, "LOG_NTP": 12, "LOG_SECURITY": 13,
	"LOG_CONSOLE": 14, "LOG_SOLCRON": 15,
	"LOG_LOCAL0": 16, "LOG_LOCAL1": 17, "LOG_LOCAL2": 18, "LOG_LOCAL3": 19,
	"LOG_LOCAL4": 20, "LOG_LOCAL5": 21, "LOG_LOCAL6": 22, "LOG_LOCAL7": 23,
	"LOG_EMERG": 0, "LOG_ALERT": 1, "LOG_CRIT": 2, "LOG_ERR": 3,
	"LOG_WARNING": 4, "LOG_NOTICE": 5, "LOG_INFO": 6, "LOG_DEBUG": 7,
}

func facility(name string) int {
	if n, ok := facilities[name]; ok {
		return n
	}
	return facilities["LOG_LOCAL0"]
}
