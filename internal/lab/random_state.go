package lab

import (
	"slices"
	"strings"
)

// state is what the files of an object amount to. Times are Swift's internal
// texts, which compare as the times do; empty is none.
type state struct {
	Data      string // of the upload that counts
	Tombstone string // when there is no such upload
	Meta      string // of the newest update of Data
	Ctype     string // of the content type, if it is newer than Data
}

// name is a file name, taken to pieces.
type name struct {
	file  string
	ext   string // "data", "ts" or "meta"
	at    string
	ctype string // of a .meta that has a content type
}

// parseName reads the names that Swift gives to files of objects. Others are not
// ok. It knows the rule by itself and asks none of the engine's code.
func parseName(file string) (n name, ok bool) {
	dot := strings.LastIndexByte(file, '.')
	if dot < 16 || !swiftTime(file[:16]) {
		return name{}, false
	}
	n = name{file: file, ext: file[dot+1:]}
	switch n.ext {
	case "data", "ts":
		n.at = internal(file[:dot])
	case "meta":
		n.at, n.ctype = metaTimes(file[:dot])
	default:
		return name{}, false
	}
	return n, true
}

// swiftTime tells whether s is ten digits, a point and five digits.
func swiftTime(s string) bool {
	for i := range len(s) {
		if digit := '0' <= s[i] && s[i] <= '9'; digit == (i == 10) || i == 10 && s[i] != '.' {
			return false
		}
	}
	return len(s) == 16
}

// stateOf merges files: the newest of each kind counts, and a tombstone or an
// upload ends what is older or as old.
// Swift: obj/diskfile.py get_ondisk_files.
func stateOf(files []string) (s state) {
	for _, f := range files {
		switch n, _ := parseName(f); n.ext {
		case "ts":
			s.Tombstone = max(s.Tombstone, n.at)
		case "data":
			s.Data = max(s.Data, n.at)
		}
	}
	if s.Data <= s.Tombstone {
		s.Data = ""
		return s
	}
	s.Tombstone = ""
	for _, f := range files {
		if n, _ := parseName(f); n.ext == "meta" && n.at > s.Data {
			s.Meta, s.Ctype = max(s.Meta, n.at), max(s.Ctype, n.ctype)
		}
	}
	if s.Ctype <= s.Data {
		s.Ctype = ""
	}
	return s
}

// superseded are the files that Swift removes when it looks at a directory,
// whatever their age. Swift: obj/diskfile.py get_ondisk_files.
func superseded(files []string) (gone []string) {
	byKind := map[string][]name{}
	for _, f := range files {
		if n, ok := parseName(f); ok {
			byKind[n.ext] = append(byKind[n.ext], n)
		}
	}
	for _, names := range byKind {
		slices.SortStableFunc(names, func(a, b name) int { return strings.Compare(b.at+b.ctype, a.at+a.ctype) })
	}
	end := func(ext string, keep func(name) bool) {
		byKind[ext] = slices.DeleteFunc(byKind[ext], func(n name) bool {
			if keep(n) {
				return false
			}
			gone = append(gone, n.file)
			return true
		})
	}
	if ts := byKind["ts"]; len(ts) > 0 {
		newest := ts[0]
		for _, ext := range []string{"data", "meta"} {
			end(ext, func(n name) bool { return n.at > newest.at })
		}
		end("ts", func(n name) bool { return n == newest })
	}
	if metas := byKind["meta"]; len(metas) > 1 {
		newest, typed := metas[0], slices.MaxFunc(metas[1:], func(a, b name) int { return strings.Compare(a.ctype, b.ctype) })
		end("meta", func(n name) bool { return n == newest || n == typed && typed.ctype > newest.ctype })
	}
	if data := byKind["data"]; len(data) > 0 {
		newest := data[0]
		end("data", func(n name) bool { return n == newest })
		for _, ext := range []string{"ts", "meta"} {
			end(ext, func(n name) bool { return n.at > newest.at })
		}
	}
	return gone
}
