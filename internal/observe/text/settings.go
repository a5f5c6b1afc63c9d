package text

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"understudy/internal/observe/status"
)

// limit is one row of the limits: its name in a report, its flag of "understudy
// limit", and its value.
type limit struct {
	name, flag string
	value      func(*status.Limits) string
}

var limits = []limit{
	{"jobs", "--jobs", func(l *status.Limits) string { return number(float64(l.Jobs)) }},
	{"device_jobs", "--device-jobs", func(l *status.Limits) string { return number(float64(l.DeviceJobs)) }},
	{"bytes_per_second", "--bytes", func(l *status.Limits) string { return throughput(l.Bytes) }},
	{"device_bytes_per_second", "--device-bytes", func(l *status.Limits) string { return throughput(l.DeviceBytes) }},
	{"hashes_per_second", "--hashes", func(l *status.Limits) string { return number(l.Hashes) }},
	{"tranquility", "--tranquility", func(l *status.Limits) string { return figure(l.Tranquility) }},
	{"handoffs_first", "", func(l *status.Limits) string { return strconv.FormatBool(l.HandoffsFirst) }},
}

func number(v float64) string {
	if v == 0 {
		return "none"
	}
	return figure(v)
}

// figure is a number without an exponent, unless it is huge.
func figure(v float64) string {
	if v < 1e9 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func throughput(n int64) string {
	if n == 0 {
		return "none"
	}
	return Bytes(n) + "/s"
}

// Limits is what "understudy limit" prints: every limit in force, its flag, and
// what the configuration says where that is something else.
func Limits(r *status.Report, style Style) string {
	s := newSheet(style)
	s.put(profile(r), plain)
	s.blank()
	s.put(fmt.Sprintf("%-25s  %-12s  %-16s  %s", "limit", "in force", "configuration", "flag"), faint)
	for _, l := range limits {
		s.limit(r, l)
	}
	return s.String()
}

func (s *sheet) limit(r *status.Report, l limit) {
	now, conf := l.value(&r.Settings.Limits), l.value(&r.Settings.Config)
	i := plain
	if slices.Contains(r.Settings.Differ, l.name) {
		i = yellow
	}
	s.line(span{pad(l.name, 25) + "  ", plain}, span{pad(now, 12), i}, span{"  " + pad(conf, 16) + "  " + l.flag, plain})
}

// profile is the profile in force, and what comes after it.
func profile(r *status.Report) string {
	text := "profile " + r.Settings.Profile
	if !r.Settings.Until.IsZero() {
		text += ", for " + until(r.At, r.Settings.Until) + " more"
	}
	if r.Settings.Stored {
		text += "; kept over a restart"
	}
	return text
}

// settings are those that are not the configuration's.
func (s *sheet) settings(r *status.Report) {
	x := &r.Settings
	if len(x.Differ) == 0 && x.Until.IsZero() {
		return
	}
	s.blank()
	s.put("settings that are not the configuration's: "+profile(r), faint)
	for _, l := range limits {
		if slices.Contains(x.Differ, l.name) {
			s.put(fmt.Sprintf("  %s %s (configuration: %s)", l.name, l.value(&x.Limits), l.value(&x.Config)), yellow)
		}
	}
}

// clock is a time of an event.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
