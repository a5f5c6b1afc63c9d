// Package policy is Swift's storage policies: what the [storage-policy:N]
// sections of swift.conf may say, and the set that they make together.
package policy

import (
	"fmt"
	"iter"
	"strings"

	"understudy/internal/swift/policy/pytext"
)

// The two policy types of Swift.
const (
	Replication   = "replication"
	ErasureCoding = "erasure_coding"
)

// LegacyName is the name of policy 0 when swift.conf declares no policy, and
// reserved for policy 0 when it does.
const LegacyName = "Policy-0"

// Policy is one storage policy.
type Policy struct {
	Index          int    // never negative
	Name           string // case kept; compare without case
	Aliases        []string
	Type           string // Replication or ErasureCoding
	Default        bool
	Deprecated     bool
	DiskfileModule string // entry point, as written
	EC             EC     // zero for the replication type
}

// EC is what only an erasure coding policy has.
type EC struct {
	Type              string // PyECLib's name of the scheme
	DataFragments     int
	ParityFragments   int
	SegmentSize       int // bytes
	DuplicationFactor int
}

// Names are the name and the aliases, in that order.
func (p Policy) Names() []string { return append([]string{p.Name}, p.Aliases...) }

// String is Python's repr of the policy, as Swift puts it into error messages.
func (p Policy) String() string {
	names := make([]string, 0, len(p.Aliases)+1)
	for _, n := range p.Names() {
		names = append(names, pytext.Repr(n))
	}
	class := "StoragePolicy"
	if p.Type == ErasureCoding {
		class = "ECStoragePolicy"
	}
	s := fmt.Sprintf("%s(%d, [%s], is_default=%s, is_deprecated=%s, policy_type=%s)", class, p.Index,
		strings.Join(names, ", "), pyBool(p.Default), pyBool(p.Deprecated), pytext.Repr(p.Type))
	if p.Type != ErasureCoding {
		return s
	}
	extra := ""
	if p.EC.DuplicationFactor != 1 {
		extra = fmt.Sprintf(", ec_duplication_factor=%d", p.EC.DuplicationFactor)
	}
	return fmt.Sprintf("%s, EC config(ec_type=%s, ec_segment_size=%d, ec_ndata=%d, ec_nparity=%d%s)", s,
		p.EC.Type, p.EC.SegmentSize, p.EC.DataFragments, p.EC.ParityFragments, extra)
}

func pyBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// UnsupportedError says why a replication policy cannot be replicated: its
// objects are kept by code that is not Swift's own.
type UnsupportedError struct{ Policy Policy }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("policy %d (%s) is not replicated: its diskfile_module %s is not Swift's own %s",
		e.Policy.Index, e.Policy.Name, e.Policy.DiskfileModule, replicationModule)
}

// Supported returns *UnsupportedError when the policy is of the replication type
// but keeps its objects by other means than Swift's own disk files.
// Swift: common/utils.py load_pkg_resource (which names mean the same module).
func (p Policy) Supported() error {
	if p.Type != Replication {
		return nil
	}
	egg, name, found := strings.Cut(p.DiskfileModule, "#")
	if !found {
		egg, name = "egg:swift", p.DiskfileModule
	}
	scheme, dist, found := strings.Cut(egg, ":")
	if !found {
		scheme, dist = "egg", egg
	}
	if strings.EqualFold(scheme, "egg") && strings.EqualFold(dist, "swift") && name == "replication.fs" {
		return nil
	}
	return &UnsupportedError{Policy: p}
}

// Set is the policies of a cluster, immutable.
type Set struct {
	all      []Policy
	byIndex  map[int]int
	byName   map[string]int // upper-cased names and aliases
	def      int
	warnings []string
}

// All yields the policies in the order of swift.conf.
func (s *Set) All() iter.Seq[Policy] {
	return func(yield func(Policy) bool) {
		for _, p := range s.all {
			if !yield(p) {
				return
			}
		}
	}
}

// Len is the number of policies, at least one.
func (s *Set) Len() int { return len(s.all) }

// Default is the policy of new containers.
func (s *Set) Default() Policy { return s.all[s.def] }

// ByIndex finds a policy.
func (s *Set) ByIndex(index int) (Policy, bool) {
	i, ok := s.byIndex[index]
	if !ok {
		return Policy{}, false
	}
	return s.all[i], true
}

// ByName finds a policy by its name or an alias, in any case.
func (s *Set) ByName(name string) (Policy, bool) {
	i, ok := s.byName[strings.ToUpper(name)]
	if !ok {
		return Policy{}, false
	}
	return s.all[i], true
}

// Replicated splits the policies of the replication type into those that can be
// replicated and the reasons for the others, each in the order of swift.conf.
func (s *Set) Replicated() (ok []Policy, refused []*UnsupportedError) {
	for _, p := range s.all {
		if p.Type != Replication {
			continue
		}
		if p.Supported() != nil {
			refused = append(refused, &UnsupportedError{Policy: p})
			continue
		}
		ok = append(ok, p)
	}
	return ok, refused
}

// Warnings are what Swift would log while reading the policies.
func (s *Set) Warnings() []string { return s.warnings }
