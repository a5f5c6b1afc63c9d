package main

import (
	"fmt"
	"io"
	"strings"

	"understudy/internal/inspect"
)

func printExplanation(out io.Writer, x *inspect.Explanation) error {
	var s sheet
	if x.Object != "" {
		s.line("%s", x.Object)
		s.line("hash %s", x.Hash)
	}
	s.line("partition %d of policy %d (%s); its ring has %d partitions, %.4g replicas", x.Partition, x.Policy, x.PolicyName, x.Partitions, x.Replicas)
	if x.LeftAlone != "" {
		s.line("left alone: %s", x.LeftAlone)
	}
	s.line("")
	for i, p := range x.Primaries {
		s.line("primary %d  %s", i, placeText(p))
	}
	for i, p := range x.Handoffs {
		s.line("handoff %d  %s", i, placeText(p))
	}
	for i := range x.Devices {
		s.holding(&x.Devices[i])
	}
	if len(x.Devices) == 0 {
		s.line("")
		s.line("No device of this node has the partition or should have it.")
	}
	return s.flush(out)
}

func placeText(p inspect.Place) string {
	local := ""
	if p.Local {
		local = "  this node"
	}
	return fmt.Sprintf("%-28s region %d zone %d%s", p.Address+"/"+p.Device, p.Region, p.Zone, local)
}

func (s *sheet) holding(h *inspect.Holding) {
	s.line("")
	s.line("%s: %s", h.Device, roleText(h.Role))
	s.line("  %s", h.Path)
	if h.Cache != nil {
		s.cacheSummary(h.Cache)
	}
	if h.Hashes != nil {
		s.line("  suffixes  %d, of which the next look would hash %d", len(h.Hashes), h.Hashed)
	}
	if h.Role == "handoff" && h.Held && h.Error == "" {
		s.line("  holds     %s of %s in %s", plural(h.Files, "file"), plural(h.Objects, "object"), plural(h.Suffixes, "suffix"))
	}
	for i := range h.Peers {
		s.peer(&h.Peers[i])
	}
	for _, verdict := range h.Verdict {
		s.line("  => %s", verdict)
	}
}

func roleText(role string) string {
	switch role {
	case "handoff":
		return "a handoff of the partition (its job is a revert)"
	case "primary":
		return "a primary of the partition (its job is an update)"
	}
	return "the ring gives it no role for the partition"
}

func (s *sheet) cacheSummary(c *inspect.Cache) {
	words := []string{"hashes.pkl is " + c.State}
	if c.Why != "" {
		words = append(words, c.Why)
	}
	if c.Updated != nil {
		words = append(words, "of "+c.Updated.Format("2006-01-02 15:04:05Z"))
	}
	s.line("  cache     %s", strings.Join(words, ", "))
	if len(c.Invalid) > 0 {
		s.line("  invalid   %s", some(c.Invalid))
	}
	if c.InvalidWhy != "" {
		s.line("  invalid   %s", c.InvalidWhy)
	}
	if len(c.Unlisted) > 0 && c.State == "valid" {
		s.line("  unknown   %s (not in hashes.pkl)", some(c.Unlisted))
	}
}

func (s *sheet) peer(p *inspect.Peer) {
	state := p.State
	if p.Here {
		state += " (read here)"
	}
	if p.Why != "" {
		state += ": " + p.Why
	}
	s.line("  peer      %-28s %s", p.Address+"/"+p.Device, state)
	if len(p.Lacks) > 0 {
		s.line("            lacks %s", some(p.Lacks))
	}
	if len(p.Others) > 0 {
		s.line("            has otherwise %s", some(p.Others))
	}
}

// mostNamed is how many suffixes a line names; --json names all.
const mostNamed = 12

func some(names []string) string {
	if len(names) <= mostNamed+1 {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], " "), len(names)-mostNamed)
}
