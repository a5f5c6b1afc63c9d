package policy

import (
	"fmt"
	"strconv"
	"strings"

	"understudy/internal/swift/policy/pytext"
)

const (
	replicationModule = "egg:swift#replication.fs"
	ecModule          = "egg:swift#erasure_coding.fs"
	defaultSegment    = 1048576
	validChars        = "-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	maxPolicies       = 10000 // sections that are looked at; a cluster has a handful
)

// Section is one [storage-policy:N] section with its values interpolated.
type Section struct {
	Index   string // what follows the colon
	Options []Setting
}

// Setting is one key, in lower case, and its value.
type Setting struct{ Key, Value string }

// Error is a policy that Swift refuses, in Swift's words.
// Swift: common/storage_policy.py PolicyError.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

func fail(format string, args ...any) error { return &Error{Text: fmt.Sprintf(format, args...)} }

// Options lists the keys that a policy section may have; the second list is for
// erasure coding only.
func Options() (common, ec []string) {
	return []string{"name", "aliases", "policy_type", "default", "deprecated", "diskfile_module"},
		[]string{"ec_type", "ec_num_data_fragments", "ec_num_parity_fragments", "ec_object_segment_size", "ec_duplication_factor"}
}

// Parse makes the set of policies that the sections of a swift.conf declare, in
// their order. No section at all makes policy 0, "Policy-0".
// Swift: common/storage_policy.py parse_storage_policies.
func Parse(sections []Section) (*Set, error) {
	if len(sections) > maxPolicies {
		return nil, fail("%d policies are more than %d", len(sections), maxPolicies)
	}
	policies := make([]Policy, 0, len(sections))
	var warnings []string
	for _, s := range sections {
		p, warning, err := parseOne(s)
		if err != nil {
			return nil, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
		policies = append(policies, p)
	}
	set, err := newSet(policies)
	if err != nil {
		return nil, err
	}
	set.warnings = warnings
	return set, nil
}

// parseOne reads one section. Swift: common/storage_policy.py from_config and
// BaseStoragePolicy.__init__ (the order of the checks is theirs).
func parseOne(s Section) (p Policy, warning string, err error) {
	p = Policy{Type: Replication}
	values := make(map[string]string, len(s.Options))
	for _, o := range s.Options {
		values[o.Key] = o.Value
	}
	if t, ok := values["policy_type"]; ok {
		p.Type = t
	}
	if p.Type != Replication && p.Type != ErasureCoding {
		return p, "", fail("Invalid type %s, for index %s", pytext.Repr(p.Type), pytext.Repr(s.Index))
	}
	known := map[string]bool{}
	common, ec := Options()
	if p.Type == ErasureCoding {
		common = append(common, ec...)
	}
	for _, k := range common {
		known[k] = true
	}
	for _, o := range s.Options {
		if !known[o.Key] {
			return p, "", fail("Invalid option %s in storage-policy section, for index %s", pytext.Repr(o.Key), pytext.Repr(s.Index))
		}
	}
	index, err := pytext.Int(s.Index)
	if err != nil || int64(int(index)) != index {
		return p, "", fail("Invalid index, for index %s", pytext.Repr(s.Index))
	}
	if index < 0 {
		return p, "", fail("Invalid index, for index %s", pytext.Repr(s.Index))
	}
	p.Index = int(index)
	if err := p.addNames(values["name"], values["aliases"]); err != nil {
		return p, "", err
	}
	p.Default, p.Deprecated = pytext.True(values["default"]), pytext.True(values["deprecated"])
	if p.Default && p.Deprecated {
		return p, "", fail("Deprecated policy can not be default.  Invalid config, for index %d", p.Index)
	}
	p.DiskfileModule = replicationModule
	if p.Type == ErasureCoding {
		p.DiskfileModule = ecModule
	}
	if m, ok := values["diskfile_module"]; ok {
		p.DiskfileModule = m
	}
	if p.Type == ErasureCoding {
		warning, err = p.parseEC(values)
	}
	return p, warning, err
}

// addNames sets the name and the aliases. An alias spelt like the name is left
// out; one that differs in case only is an error, as any other repetition.
func (p *Policy) addNames(name, aliases string) error {
	if err := p.checkName(name, nil); err != nil {
		return err
	}
	p.Name = name
	for _, alias := range pytext.CSV(aliases) {
		if alias == name {
			continue
		}
		if err := p.checkName(alias, p.Names()); err != nil {
			return err
		}
		p.Aliases = append(p.Aliases, alias)
	}
	return nil
}

// checkName: Swift: common/storage_policy.py _validate_policy_name.
func (p *Policy) checkName(name string, taken []string) error {
	index := strconv.Itoa(p.Index)
	if name == "" {
		return fail("Invalid name '', for index %s", index)
	}
	for _, r := range name {
		if !strings.ContainsRune(validChars, r) {
			return fail("Names are used as HTTP headers, and can not reliably contain any characters not in %s. Invalid name %s, for index %s",
				pytext.Repr(validChars), pytext.Repr(name), index)
		}
	}
	if strings.EqualFold(name, LegacyName) && p.Index != 0 {
		return fail("The name %s is reserved for policy index 0. Invalid name %s, for index %s", LegacyName, pytext.Repr(name), index)
	}
	for _, t := range taken {
		if strings.EqualFold(t, name) {
			return fail("The name %s is already assigned to this policy., for index %s", name, index)
		}
	}
	return nil
}

// newSet: Swift: common/storage_policy.py _validate_policies.
func newSet(policies []Policy) (*Set, error) {
	s := &Set{byIndex: map[int]int{}, byName: map[string]int{}, def: -1}
	for _, p := range policies {
		if i, ok := s.byIndex[p.Index]; ok {
			return nil, fail("Duplicate index %s conflicts with %s", p, s.all[i])
		}
		for _, name := range p.Names() {
			if i, ok := s.byName[strings.ToUpper(name)]; ok {
				return nil, fail("Duplicate name %s conflicts with %s", p, s.all[i])
			}
		}
		if p.Default {
			if s.def >= 0 {
				return nil, fail("Duplicate default %s conflicts with %s", p, s.all[s.def])
			}
			s.def = len(s.all)
		}
		s.add(p)
	}
	if _, ok := s.byIndex[0]; !ok {
		if len(s.all) != 0 {
			return nil, fail("You must specify a storage policy section for policy index 0 in order to define multiple policies")
		}
		s.add(Policy{Name: LegacyName, Type: Replication, DiskfileModule: replicationModule})
	}
	enabled := false
	for _, p := range s.all {
		enabled = enabled || !p.Deprecated
	}
	if !enabled {
		return nil, fail("Unable to find policy that's not deprecated!")
	}
	if s.def < 0 {
		if len(s.all) > 1 {
			return nil, fail("Unable to find default policy")
		}
		s.def = 0
		s.all[0].Default = true
	}
	return s, nil
}

func (s *Set) add(p Policy) {
	s.byIndex[p.Index] = len(s.all)
	for _, name := range p.Names() {
		s.byName[strings.ToUpper(name)] = len(s.all)
	}
	s.all = append(s.all, p)
}
