package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"understudy/internal/inspect"
)

func printRing(out io.Writer, r *inspect.Ring) error {
	var s sheet
	s.line("%s", r.Path)
	s.line("version %d, part power %d (%d partitions), %.4g replicas, balance %.2f%%", r.Version, r.PartPower, r.Partitions, r.Replicas, r.Balance)
	if r.NextPower != nil {
		s.line("next part power %d: an increase is under way, and the policy is left alone", *r.NextPower)
	}
	s.line("")
	s.line("  id region zone %-30s %8s %9s %8s", "device", "weight", "parts", "balance")
	for _, d := range r.Devices {
		balance := "-"
		if d.Balance != nil {
			balance = fmt.Sprintf("%+.1f%%", *d.Balance)
		}
		s.line("%4d %6d %4d %-30s %8.7g %9d %8s%s", d.ID, d.Region, d.Zone, memberText(d.Member), d.Weight, d.Partitions, balance, mark(d.Local))
	}
	if slices.ContainsFunc(r.Devices, func(d inspect.RingDevice) bool { return d.Local }) {
		s.line("* on this node")
	}
	if r.Partition != nil {
		s.line("")
		s.line("partition %d", *r.Partition)
		for i, m := range r.Primaries {
			s.line("  primary %d  %s region %d zone %d%s", i, memberText(m), m.Region, m.Zone, mark(m.Local))
		}
		for i, m := range r.Handoffs {
			s.line("  handoff %d  %s region %d zone %d%s", i, memberText(m), m.Region, m.Zone, mark(m.Local))
		}
	}
	return s.flush(out)
}

func memberText(m inspect.Member) string {
	return fmt.Sprintf("%s:%d/%s", bracketed(m.ReplicationIP), m.ReplicationPort, m.Device)
}

// bracketed is an address as it stands before a port.
func bracketed(ip string) string {
	if strings.Contains(ip, ":") {
		return "[" + ip + "]"
	}
	return ip
}

func mark(local bool) string {
	if local {
		return " *"
	}
	return ""
}

func printCache(out io.Writer, c *inspect.Cache) error {
	var s sheet
	s.line("%s", c.Dir)
	s.cacheSummary(c)
	for _, suffix := range slices.Sorted(maps.Keys(c.Hashes)) {
		sum, notes := c.Hashes[suffix], []string{}
		if sum == "" {
			sum = "to be hashed"
		}
		if slices.Contains(c.Invalid, suffix) {
			notes = append(notes, "invalid")
		}
		if slices.Contains(c.Gone, suffix) {
			notes = append(notes, "no directory")
		}
		s.line("  %s       %-32s %s", suffix, sum, strings.Join(notes, ", "))
	}
	switch {
	case c.State != "valid":
		s.line("  => not trusted: the next look hashes the whole partition")
	case c.InvalidWhy != "":
		s.line("  => hashes.invalid cannot be read: the next look hashes the whole partition")
	case len(c.Stale) > 0:
		s.line("  => the next look hashes %s", some(c.Stale))
	default:
		s.line("  => up to date")
	}
	if c.State == "valid" && len(c.Unlisted) > 0 {
		s.line("  => suffixes that hashes.pkl does not know are found by every tenth pass")
	}
	return s.flush(out)
}

func printHashDirs(out io.Writer, dirs []*inspect.HashDir) error {
	var s sheet
	for i, h := range dirs {
		if i > 0 {
			s.line("")
		}
		s.hashDir(h)
	}
	return s.flush(out)
}

func (s *sheet) hashDir(h *inspect.HashDir) {
	s.line("%s", h.Path)
	s.line("state: %s", h.State)
	for i := range h.Files {
		s.objectFile(&h.Files[i])
	}
	for _, p := range h.Problems {
		s.line("=> %s", p)
	}
}

func (s *sheet) objectFile(f *inspect.ObjectFile) {
	s.line("")
	s.line("%s", f.Name)
	s.line("  %s, %d bytes", f.Part, f.Size)
	if f.Date != nil {
		s.line("  %s", f.Date.Format("2006-01-02 15:04:05.00000Z"))
	}
	for _, item := range f.Metadata {
		s.line("  %s: %s", item.Name, item.Value)
	}
	if f.MD5 != "" {
		s.line("  md5 of the body: %s", f.MD5)
	}
	if f.Problem != "" {
		s.line("  problem: %s", f.Problem)
	}
}
