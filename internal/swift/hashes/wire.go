package hashes

import (
	"fmt"
	"maps"
	"slices"

	"understudy/internal/swift/pickle"
)

// WireNone is the body of the answer to a REPLICATE request that names suffixes:
// a pickled None.
const WireNone = "\x80\x02N."

// MaxWire bounds the body of a REPLICATE answer, in bytes.
const MaxWire = MaxSize

// DecodeWire reads the body of a REPLICATE answer: suffix to md5 in hex, or to ""
// for None.
//
// Unlike Swift: whatever is not a suffix or an md5 is an error, and so are more
// suffixes than there can be. Swift unpickles what its peer sends.
func DecodeWire(body []byte) (map[string]string, error) {
	v, err := pickle.Decode(body, limits)
	if err != nil {
		return nil, fmt.Errorf("decode suffix hashes: %w", err)
	}
	dict, ok := v.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("decode suffix hashes: %T instead of a dict", v)
	}
	if len(dict.Pairs) > maxSuffixes {
		return nil, fmt.Errorf("decode suffix hashes: %d suffixes, more than %d", len(dict.Pairs), maxSuffixes)
	}
	m := make(map[string]string, len(dict.Pairs))
	for _, p := range dict.Pairs {
		suffix, ok := text(p.Key)
		if !ok || !ValidSuffix(suffix) {
			return nil, fmt.Errorf("decode suffix hashes: key %.40q is not a suffix", fmt.Sprint(p.Key))
		}
		hash, ok := hashValue(p.Value)
		if !ok || (hash == "" && p.Value != nil) {
			return nil, fmt.Errorf("decode suffix hashes: value of %s is neither an md5 nor None", suffix)
		}
		m[suffix] = hash
	}
	return m, nil
}

// EncodeWire writes the body of a REPLICATE answer, as Python does for a dict
// with its keys in order.
func EncodeWire(m map[string]string) []byte {
	suffixes := slices.Sorted(maps.Keys(m))
	w := pickle.NewWriter(make([]byte, 0, 16+len(suffixes)*60))
	w.Dict(len(suffixes), func(i int) { writeSuffix(w, suffixes[i], m[suffixes[i]]) })
	return w.Finish()
}
