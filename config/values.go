package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/swift/policy/pytext"
)

// facilities are the names that Python's SysLogHandler has for them.
var facilities = []string{
	"LOG_KERN", "LOG_USER", "LOG_MAIL", "LOG_DAEMON", "LOG_AUTH", "LOG_SYSLOG", "LOG_LPR", "LOG_NEWS",
	"LOG_UUCP", "LOG_CRON", "LOG_AUTHPRIV", "LOG_FTP", "LOG_NTP", "LOG_SECURITY", "LOG_CONSOLE", "LOG_SOLCRON",
	"LOG_LOCAL0", "LOG_LOCAL1", "LOG_LOCAL2", "LOG_LOCAL3", "LOG_LOCAL4", "LOG_LOCAL5", "LOG_LOCAL6", "LOG_LOCAL7",
}

// levels are the names that Python's logging has for its levels. NOTSET hands the
// question to the root logger, which stands at WARNING.
var levels = map[string]string{
	"CRITICAL": "CRITICAL", "FATAL": "CRITICAL", "ERROR": "ERROR", "WARNING": "WARNING", "WARN": "WARNING", "INFO": "INFO", "DEBUG": "DEBUG",
	"NOTSET": "WARNING",
}

// read puts the text of an option into its field. A warning is about a value
// that Swift replaces without a word.
func (o *Option) read(c *Config, text string) (warning string, err error) {
	switch o.Kind {
	case Text, Path:
		if o.words != nil && !slices.Contains(o.words, text) {
			return "", fmt.Errorf("must be %s, not %s", strings.Join(o.words, " or "), pytext.Repr(text))
		}
		if o.form != nil {
			if err := o.form(text); err != nil {
				return "", err
			}
		}
		*o.field(c).(*string) = text
	case Bool:
		*o.field(c).(*bool) = pytext.True(text)
	case List:
		*o.field(c).(*[]string) = pytext.CSV(strings.ToLower(text))
	case Raw:
		*o.field(c).(*[]byte), err = latin1(text)
	case Level:
		level, ok := levels[strings.ToUpper(text)]
		if !ok {
			level, warning = "INFO", fmt.Sprintf("unknown %s %s, using INFO", o.Name, pytext.Repr(text))
		}
		*o.field(c).(*string) = level
	case Facility:
		if !slices.Contains(facilities, text) {
			warning = fmt.Sprintf("unknown %s %s, using LOG_LOCAL0", o.Name, pytext.Repr(text))
			text = "LOG_LOCAL0"
		}
		*o.field(c).(*string) = text
	case Reserve:
		err = readReserve(&c.DiskFile, text)
	case Seconds, Number:
		err = o.readFloat(c, text)
	default:
		err = o.readInt(c, text)
	}
	return warning, err
}

func (o *Option) readFloat(c *Config, text string) error {
	v, err := pytext.Float(text)
	if err != nil {
		return err
	}
	if math.IsNaN(v) {
		return fmt.Errorf("%s is not a number", pytext.Repr(text))
	}
	if err := o.check(v); err != nil {
		return err
	}
	if o.Kind == Number {
		*o.field(c).(*float64) = v
		return nil
	}
	*o.field(c).(*time.Duration) = seconds(v)
	return nil
}

func (o *Option) readInt(c *Config, text string) error {
	if o.Kind == AutoInt && strings.EqualFold(text, "auto") {
		text = "0"
	}
	n, err := pytext.Int(text)
	if err != nil && o.Kind == AutoInt {
		//lint:ignore ST1005 Swift's words
		return fmt.Errorf("Config option must be an integer or the string \"auto\", not \"%s\".", text)
	}
	if err != nil {
		return err
	}
	if err := o.check(float64(n)); err != nil {
		return err
	}
	switch to := o.field(c).(type) {
	case *time.Duration:
		*to = seconds(float64(n))
	case *int64:
		*to = n
	case *int:
		if int64(int(n)) != n {
			return fmt.Errorf("number out of range: %s", pytext.Repr(text))
		}
		*to = int(n)
	}
	return nil
}

func (o *Option) check(v float64) error {
	if o.valid == nil {
		return nil
	}
	if rule := o.valid(v); rule != "" {
		return fmt.Errorf("%s, not %s", rule, strconv.FormatFloat(v, 'f', -1, 64))
	}
	return nil
}

// seconds converts; what is longer than a Duration can be becomes the longest.
func seconds(v float64) time.Duration {
	if v >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(math.Round(v * float64(time.Second)))
}

// readReserve: Swift: common/utils.py config_fallocate_value.
func readReserve(d *DiskFile, text string) error {
	//lint:ignore ST1005 Swift's words
	wrong := fmt.Errorf("Error: %s is an invalid value for fallocate_reserve.", text)
	number, percent := strings.CutSuffix(text, "%")
	if percent {
		v, err := pytext.Float(number)
		if err != nil || math.IsNaN(v) {
			return wrong
		}
		d.FallocateReserve, d.FallocateReservePercent = 0, v
		return nil
	}
	n, err := pytext.Int(text)
	if err != nil {
		return wrong
	}
	d.FallocateReserve, d.FallocateReservePercent = n, 0
	return nil
}

// latin1 turns text that was decoded from bytes one by one back into bytes.
func latin1(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, fmt.Errorf("%s cannot be encoded", pytext.Repr(string(r)))
		}
		out = append(out, byte(r))
	}
	return out, nil
}

// show is the value of an option as text. Secrets are not shown.
func (o *Option) show(c *Config) string {
	if o.field == nil {
		return ""
	}
	switch v := o.field(c).(type) {
	case *string:
		return *v
	case *bool:
		return strconv.FormatBool(*v)
	case *int:
		return o.showInt(*v)
	case *int64:
		return strconv.FormatInt(*v, 10)
	case *float64:
		return strconv.FormatFloat(*v, 'f', -1, 64)
	case *time.Duration:
		return strconv.FormatFloat(v.Seconds(), 'f', -1, 64)
	case *[]string:
		return strings.Join(*v, ", ")
	case *[]byte:
		if len(*v) == 0 {
			return "(empty)"
		}
		return fmt.Sprintf("(secret, %d bytes)", len(*v))
	case *DiskFile:
		if v.FallocateReservePercent != 0 {
			return strconv.FormatFloat(v.FallocateReservePercent, 'f', -1, 64) + "%"
		}
		return strconv.FormatInt(v.FallocateReserve, 10)
	}
	return ""
}

func (o *Option) showInt(v int) string {
	if o.Kind == AutoInt && v == 0 {
		return "auto"
	}
	return strconv.Itoa(v)
}
