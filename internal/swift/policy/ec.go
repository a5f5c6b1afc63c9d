package policy

import (
	"slices"
	"strings"

	"understudy/internal/swift/policy/pytext"
)

// ecTypes are the schemes that PyECLib knows.
//
// Unlike Swift: which of them this machine could load is not asked, because
// erasure coded policies are not ours to work on.
var ecTypes = []string{
	"jerasure_rs_vand", "jerasure_rs_cauchy", "flat_xor_hd_3", "flat_xor_hd_4", "isa_l_rs_vand",
	"shss", "liberasurecode_rs_vand", "isa_l_rs_cauchy", "libphazr",
}

// parseEC: Swift: common/storage_policy.py ECStoragePolicy.__init__.
func (p *Policy) parseEC(values map[string]string) (warning string, err error) {
	kind, ok := values["ec_type"]
	if !ok {
		return "", fail("Missing ec_type")
	}
	if !slices.Contains(ecTypes, kind) {
		return "", fail("Wrong ec_type %s for policy %s, should be one of \"%s\"", kind, p.Name, strings.Join(ecTypes, ", "))
	}
	p.EC.Type = kind
	numbers := []struct {
		key     string
		def     int
		missing bool // there is no default
		to      *int
	}{
		{"ec_num_data_fragments", 0, true, &p.EC.DataFragments},
		{"ec_num_parity_fragments", 0, true, &p.EC.ParityFragments},
		{"ec_object_segment_size", defaultSegment, false, &p.EC.SegmentSize},
	}
	for _, n := range numbers {
		text, ok := values[n.key]
		switch v, err := pytext.Int(text); {
		case !ok && n.missing:
			return "", fail("Invalid %s None, for index %d", n.key, p.Index)
		case !ok:
			*n.to = n.def
		case err != nil || v <= 0 || int64(int(v)) != v:
			return "", fail("Invalid %s %s, for index %d", n.key, pytext.Repr(text), p.Index)
		default:
			*n.to = int(v)
		}
	}
	if kind == "isa_l_rs_vand" && p.EC.ParityFragments >= 5 {
		warning = "Storage policy " + p.Name + " uses an EC configuration known to harm data durability. Any data in this policy " +
			"should be migrated. See https://bugs.launchpad.net/swift/+bug/1639691 for more information."
		if values["deprecated"] == "" { // any text will do, even "no": Swift tests the string
			return "", fail("Storage policy %s uses an EC configuration known to harm data durability. This policy MUST be deprecated.", p.Name)
		}
	}
	p.EC.DuplicationFactor = 1
	if text, ok := values["ec_duplication_factor"]; ok {
		v, err := pytext.Int(text)
		if err != nil || v < 1 || int64(int(v)) != v {
			return "", fail("Config option must be an positive int number, not \"%s\".", text)
		}
		p.EC.DuplicationFactor = int(v)
	}
	return warning, nil
}
