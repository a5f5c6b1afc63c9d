// Package hashpath computes the name hash that places objects: which partition
// an object belongs to and what its directory is called.
package hashpath

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
)

// Hasher holds the two secrets of swift.conf. They are bytes as written there:
// one different byte places every object elsewhere.
type Hasher struct {
	Prefix []byte // swift_hash_path_prefix
	Suffix []byte // swift_hash_path_suffix
}

// Hash is the md5 of an object's path between prefix and suffix.
// An empty object hashes a container, an empty container an account.
// Swift: common/utils hash_path.
func (h Hasher) Hash(account, container, object string) [md5.Size]byte {
	size := len(h.Prefix) + len(h.Suffix) + len(account) + len(container) + len(object) + 3
	b := make([]byte, 0, size)
	b = append(b, h.Prefix...)
	b = append(append(b, '/'), account...)
	if container != "" {
		b = append(append(b, '/'), container...)
		if object != "" {
			b = append(append(b, '/'), object...)
		}
	}
	b = append(b, h.Suffix...)
	return md5.Sum(b)
}

// Hex is the name of an object's hash directory.
func (h Hasher) Hex(account, container, object string) string {
	sum := h.Hash(account, container, object)
	return hex.EncodeToString(sum[:])
}

// Suffix is the name of the suffix directory that holds a hash directory: the
// last three hex digits.
func Suffix(sum [md5.Size]byte) string {
	return hex.EncodeToString(sum[14:])[1:]
}

// Partition is the partition of a hash in a ring whose part_shift is 32 minus
// its part power.
func Partition(sum [md5.Size]byte, partShift uint) uint32 {
	return binary.BigEndian.Uint32(sum[:]) >> partShift
}
