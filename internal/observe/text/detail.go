package text

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"understudy/internal/observe/status"
)

// detail is all about one device.
func (s *sheet) detail(at time.Time, d *status.Device) {
	s.put(d.Name, bold)
	s.paragraph("  pass: ", pass(at, &d.Pass), plain)
	t := d.Pass.Stats
	s.paragraph("        ", fmt.Sprintf("%d attempted, %d success, %d failure, %d hashmatch, %d rsync, %d remove",
		t.Attempted, t.Success, t.Failure, t.HashMatch, t.Rsync, t.Remove), plain)
	s.put(fmt.Sprintf("        suffixes: %d checked, %d hashed, %d synced; %s pushed", t.SuffixCount, t.SuffixHash, t.SuffixSync, Bytes(d.Pass.Bytes)), plain)
	if !d.Complete.IsZero() {
		s.put(fmt.Sprintf("  last complete pass: %s ago; %s since the start", since(at, d.Complete), plural(int64(d.Passes), "complete pass")), plain)
	}
	s.failures(at, d)
	if len(d.InFlight) > 0 {
		s.put("  in flight:", plain)
	}
	for _, j := range d.InFlight {
		s.job("    ", at, &j)
	}
	if len(d.History) > 0 {
		s.put("  passes before:", plain)
	}
	for _, p := range slices.Backward(d.History) {
		s.paragraph("    ", pass(at, &p), plain)
	}
}

// pass is a pass in one line.
func pass(at time.Time, p *status.Pass) string {
	if p.Begun.IsZero() {
		return "none yet"
	}
	text := fmt.Sprintf("begun %s ago, %d of %d jobs", since(at, p.Begun), p.Done, p.Jobs)
	switch {
	case p.Running:
		text += ", running"
	case !p.Ended.IsZero():
		text += fmt.Sprintf(", took %s, %s", Span(p.Ended.Sub(p.Begun)), plural(int64(p.Stats.Failure), "failure"))
	}
	if p.Cut != "" {
		text += ", cut: " + p.Cut
	}
	return text
}

// mostPeers is how many of the peers that failed are named.
const mostPeers = 5

func (s *sheet) failures(at time.Time, d *status.Device) {
	var causes []string
	for _, c := range d.Failures {
		causes = append(causes, fmt.Sprintf("%s %d", c.Why, c.Count))
	}
	if len(causes) > 0 {
		s.paragraph("  failures: ", strings.Join(causes, ", "), yellow)
	}
	names := slices.SortedFunc(maps.Keys(d.Peers), func(a, b string) int {
		if d.Peers[a] != d.Peers[b] {
			return d.Peers[b] - d.Peers[a]
		}
		return strings.Compare(a, b)
	})
	for _, name := range names[:min(mostPeers, len(names))] {
		s.put(fmt.Sprintf("    %s  %d", name, d.Peers[name]), plain)
	}
	if more := len(names) - mostPeers; more > 0 {
		s.put(fmt.Sprintf("    and %s", plural(int64(more), "more peer")), plain)
	}
	if e := d.LastError; e != nil {
		s.paragraph("  last error: ", fmt.Sprintf("%s ago, partition %d/%d: %s", since(at, e.At), e.Policy, e.Partition, e.Text), plain)
	}
}
