package fault

// hash is FNV-1a over texts and numbers, mixed at the end so that every bit of it can
// be drawn from.
type hash uint64

const (
	hashStart hash = 14695981039346656037
	hashPrime hash = 1099511628211
)

// text takes a text and its end, so that "a","bc" is another one than "ab","c".
func (h hash) text(s string) hash {
	for i := range len(s) {
		h = (h ^ hash(s[i])) * hashPrime
	}
	return (h ^ 0xff) * hashPrime
}

func (h hash) number(n uint64) hash {
	for range 8 {
		h = (h ^ hash(n&0xff)) * hashPrime
		n >>= 8
	}
	return h
}

// sum is the finalizer of MurmurHash3.
func (h hash) sum() uint64 {
	x := uint64(h)
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// chance is a number in [0,1) from a draw.
func chance(draw uint64) float64 { return float64(draw>>11) / (1 << 53) }
