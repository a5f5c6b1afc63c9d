// Package hashes reads and writes what Swift keeps of a partition's suffix
// hashes: hashes.pkl, hashes.invalid, and the body of a REPLICATE answer.
package hashes

import (
	"maps"
	"math"
	"slices"

	"understudy/internal/swift/pickle"
)

// File is the content of hashes.pkl.
type File struct {
	Suffixes map[string]string // three hex digits to md5 in hex; "" is Python's None: to be hashed afresh
	Valid    bool              // false: the suffixes are not all of the partition's
	Updated  float64           // when it was written, seconds since 1970; -1 when that is not known
}

// MaxSize bounds hashes.pkl, in bytes: twice what all 4096 suffixes take.
const MaxSize = 512 << 10

// maxSuffixes is how many suffixes there are.
const maxSuffixes = 4096

var limits = pickle.Limits{Size: MaxSize, Depth: 2, Stack: 1 << 14, Memo: 1 << 14, Work: MaxSize}

const (
	validKey   = "valid"
	updatedKey = "updated"
)

// Unreadable is what a missing or unreadable hashes.pkl counts as.
func Unreadable() File { return File{Suffixes: map[string]string{}, Updated: -1} }

// Decode reads hashes.pkl. It never fails: what cannot be read counts as not
// valid, which makes its reader hash the partition afresh. A file with a key that
// is no suffix is not valid and has nothing else. Suffixes is never nil.
// Swift: obj/diskfile.py read_hashes.
//
// Unlike Swift: a suffix whose value is neither None nor an md5 in hex spoils the
// file. Swift would keep the value and send it to its peers.
func Decode(data []byte) File {
	v, err := pickle.Decode(data, limits)
	if err != nil {
		return Unreadable()
	}
	dict, ok := v.(*pickle.Dict)
	if !ok {
		return Unreadable()
	}
	f := File{Suffixes: make(map[string]string, len(dict.Pairs)), Valid: true, Updated: -1}
	spoiled := false
	for _, p := range dict.Pairs {
		key, _ := text(p.Key)
		switch {
		case key == validKey:
			f.Valid = truth(p.Value)
		case key == updatedKey:
			f.Updated = number(p.Value)
		case ValidSuffix(key):
			hash, ok := hashValue(p.Value)
			f.Suffixes[key] = hash
			spoiled = spoiled || !ok
		default:
			return File{Suffixes: map[string]string{}}
		}
	}
	if spoiled {
		return Unreadable()
	}
	return f
}

// Encode writes hashes.pkl: protocol 2, suffixes in order, then valid and updated.
func (f File) Encode() []byte {
	suffixes := slices.Sorted(maps.Keys(f.Suffixes))
	w := pickle.NewWriter(make([]byte, 0, 64+len(suffixes)*60))
	w.Dict(len(suffixes)+2, func(i int) {
		switch i {
		case len(suffixes):
			w.Text(validKey)
			w.Bool(f.Valid)
		case len(suffixes) + 1:
			w.Text(updatedKey)
			w.Float(f.Updated)
		default:
			writeSuffix(w, suffixes[i], f.Suffixes[suffixes[i]])
		}
	})
	return w.Finish()
}

func writeSuffix(w *pickle.Writer, suffix, hash string) {
	w.Text(suffix)
	if hash == "" {
		w.None()
		return
	}
	w.Text(hash)
}

// Equal compares everything. It is how a writer finds out that another was
// faster: Updated changes with every write.
func (f File) Equal(o File) bool {
	return f.Valid == o.Valid && f.Updated == o.Updated && maps.Equal(f.Suffixes, o.Suffixes)
}

// ValidSuffix tells whether s is the name of a suffix directory.
// Swift: obj/diskfile.py valid_suffix.
func ValidSuffix(s string) bool { return len(s) == 3 && lowerHex(s) }

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case pickle.Text:
		return string(v), true
	case pickle.Bytes:
		return string(v), true
	}
	return "", false
}

// hashValue reads None or an md5 in hex.
func hashValue(v any) (string, bool) {
	if v == nil {
		return "", true
	}
	s, ok := text(v)
	return s, ok && (s == "" || (len(s) == 32 && lowerHex(s)))
}

// truth is Python's idea of a true value, as far as such values occur here.
func truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	}
	return false
}

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		if !math.IsNaN(v) {
			return v
		}
	}
	return -1
}
