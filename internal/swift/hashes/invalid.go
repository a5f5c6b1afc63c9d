package hashes

import (
	"bytes"
	"strconv"
)

// ParseInvalid reads hashes.invalid: the distinct suffixes in it, in order, and
// the number of lines, junk included. A file with lines has to be truncated after
// its suffixes are safe in hashes.pkl, even if none of them was a suffix.
// Swift: obj/diskfile.py consolidate_hashes.
func ParseInvalid(data []byte) (suffixes []string, lines int) {
	var seen [maxSuffixes]bool
	for len(data) > 0 {
		line := data
		// Swift reads the file as text, where each of \n, \r and \r\n ends a line.
		if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
			line = data[:i]
			if data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n' {
				i++
			}
			data = data[i+1:]
		} else {
			data = nil
		}
		lines++
		suffix := string(bytes.TrimSpace(line))
		if !ValidSuffix(suffix) {
			continue
		}
		n, _ := strconv.ParseUint(suffix, 16, 12)
		if !seen[n] {
			seen[n] = true
			suffixes = append(suffixes, suffix)
		}
	}
	return suffixes, lines
}

// AppendInvalid appends one suffix's line of hashes.invalid. The line must reach
// the file in a single write.
func AppendInvalid(dst []byte, suffix string) []byte {
	return append(append(dst, suffix...), '\n')
}
