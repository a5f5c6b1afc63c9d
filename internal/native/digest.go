// Package native is the wire format of the native lane: surveys, in which two nodes
// that both run this program compare thousands of partitions in one exchange. It is
// pure: no file, socket or clock. docs/native-lane.md describes it to the byte.
package native

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// The labels keep hashes of one kind from ever being taken for another.
const (
	digestLabel  = "understudy digest 1\x00"
	clusterLabel = "understudy cluster 1\x00"
	echoLabel    = "understudy echo 1\x00"
)

const (
	none       = 0x8000 // marks a suffix that could not be hashed; no hash follows
	suffixMask = 0x0fff
	hashSize   = 16
)

// DigestOf is the first half of a SHA-256 over a label and the table of the suffix
// hashes. Its error is a map that no partition can have.
func DigestOf(h messages.Hashes) (d messages.Digest, err error) {
	table, err := appendTable([]byte(digestLabel), h)
	if err != nil {
		return d, fmt.Errorf("digest suffix hashes: %w", err)
	}
	sum := sha256.Sum256(table)
	copy(d[:], sum[:])
	return d, nil
}

// Cluster stands for what swift.conf says about hashing names. It does not tell it.
type Cluster [sha256.Size]byte

// ClusterOf is the Cluster of a hash path prefix and suffix.
func ClusterOf(prefix, suffix []byte) Cluster {
	b := binary.BigEndian.AppendUint32([]byte(clusterLabel), uint32(len(prefix)))
	return sha256.Sum256(append(append(b, prefix...), suffix...))
}

// echoOf ties an answer to the request that it answers.
func echoOf(request []byte) (e messages.Digest) {
	sum := sha256.Sum256(append([]byte(echoLabel), request...))
	copy(e[:], sum[:])
	return e
}

// appendTable writes suffix hashes in order: each suffix as a number of two bytes,
// then its md5; of one that could not be hashed the number with the highest bit set
// and nothing else.
func appendTable(b []byte, h messages.Hashes) ([]byte, error) {
	for _, suffix := range slices.Sorted(maps.Keys(h)) {
		n, err := strconv.ParseUint(suffix, 16, 12)
		if err != nil || !hashes.ValidSuffix(suffix) {
			return nil, fmt.Errorf("%.40q is not a suffix", suffix)
		}
		if h[suffix] == "" {
			b = binary.BigEndian.AppendUint16(b, uint16(n)|none)
			continue
		}
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		var ok bool
		if b, ok = appendMD5(b, h[suffix]); !ok {
			return nil, fmt.Errorf("hash of suffix %s is not an md5", suffix)
		}
	}
	return b, nil
}

func appendMD5(b []byte, text string) ([]byte, bool) {
	if len(text) != 2*hashSize {
		return b, false
	}
	b, err := hex.AppendDecode(b, []byte(text))
	return b, err == nil
}

// TableSize is how many bytes the table of some suffix hashes takes in an Answer.
func TableSize(h messages.Hashes) int { return len(h) * (2 + hashSize) }

// table reads n suffix hashes, which must be in order.
func (r *reader) table(n int) messages.Hashes {
	h := make(messages.Hashes, min(n, r.left()/2))
	last := -1
	for range n {
		word := r.uint16()
		number := int(word & suffixMask)
		if r.err != nil {
			return nil
		}
		if word&^(none|suffixMask) != 0 {
			r.fail("suffix number %#x", word)
			return nil
		}
		if number <= last {
			r.fail("suffix %03x comes after %03x", number, last)
			return nil
		}
		last = number
		suffix := fmt.Sprintf("%03x", number)
		if word&none != 0 {
			h[suffix] = ""
			continue
		}
		h[suffix] = hex.EncodeToString(r.bytes(hashSize))
	}
	return h
}
