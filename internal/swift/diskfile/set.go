package diskfile

import (
	"slices"
	"strings"
	"time"

	"understudy/internal/swift/timestamp"
)

// Set is what the files of one hash directory amount to. It is made to be used
// again for the next directory: Read forgets all that was there and keeps the
// memory. The zero value is ready; a Set is not safe for concurrent use.
//
// The pointers are into the Set and hold until the next Read.
type Set struct {
	Data  *Info // the newest data file not older than a tombstone
	Meta  *Info // the newest metadata, when there is Data
	CType *Info // the file with the newest content type, when that is newer than Data
	TS    *Info // the tombstone, when there is no Data and it is not to be reclaimed

	Remove     []string // names to unlink: obsolete, or metadata to be reclaimed
	Reclaim    string   // a tombstone to unlink after all of Remove is gone, or empty
	Unexpected []string // names that are no file of an object; never to be touched
	Left       int      // files that stay, Unexpected included

	infos []Info
	dead  []bool // parallel to infos
	metas []int  // indexes into infos
}

// Read decides about the names of a hash directory. Tombstones, and metadata
// without data, are reclaimed when they are older than reclaimAge at now, by the
// time in their names. It looks at nothing but its arguments.
// Swift: obj/diskfile.py get_ondisk_files and cleanup_ondisk_files.
func (s *Set) Read(names []string, now time.Time, reclaimAge time.Duration) {
	s.reset(names)
	tombstone := s.newest(extTS)
	if tombstone >= 0 {
		s.bury(tombstone)
	}
	s.chooseMetas()
	data := s.newest(extData)
	if data >= 0 {
		s.choose(data)
	} else {
		if tombstone >= 0 {
			s.TS = &s.infos[tombstone]
		}
		// Metadata without data is no object, but its data may still be on the way.
		for _, i := range s.metas {
			s.dead[i] = s.reclaimable(i, now, reclaimAge)
		}
	}
	for i, dead := range s.dead {
		if dead {
			s.Remove = append(s.Remove, s.infos[i].Name)
		}
	}
	s.Left = len(names) - len(s.Remove)
	if s.TS != nil && s.reclaimable(tombstone, now, reclaimAge) {
		// Unlike Swift: the tombstone goes last. What it buried would come back to
		// life if only the tombstone were gone after a crash or a failed unlink.
		s.Reclaim, s.TS = s.TS.Name, nil
		s.Left--
	}
}

// reset parses names and sorts what it understands: by extension, newest first,
// and for one time by descending name, as Swift's stable sort leaves them.
func (s *Set) reset(names []string) {
	s.Data, s.Meta, s.CType, s.TS = nil, nil, nil, nil
	s.Reclaim = ""
	s.Remove, s.Unexpected = s.Remove[:0], s.Unexpected[:0]
	s.infos, s.dead, s.metas = s.infos[:0], s.dead[:0], s.metas[:0]
	for _, name := range names {
		info, err := ParseName(name)
		if err != nil {
			s.Unexpected = append(s.Unexpected, name)
			continue
		}
		s.infos = append(s.infos, info)
		s.dead = append(s.dead, false)
	}
	if len(s.infos) > 1 {
		slices.SortFunc(s.infos, func(a, b Info) int {
			if c := strings.Compare(a.Ext, b.Ext); c != 0 {
				return c
			}
			if c := b.Time.Compare(a.Time); c != 0 {
				return c
			}
			return strings.Compare(b.Name, a.Name)
		})
	}
}

// newest is the first living file of an extension, or -1.
func (s *Set) newest(ext string) int {
	for i := range s.infos {
		if !s.dead[i] && s.infos[i].Ext == ext {
			return i
		}
	}
	return -1
}

// bury kills what a tombstone outlives: all other tombstones, and every other
// file that is not newer.
func (s *Set) bury(tombstone int) {
	at := s.infos[tombstone].Time
	for i := range s.infos {
		if i != tombstone && (s.infos[i].Ext == extTS || s.infos[i].Time.Compare(at) <= 0) {
			s.dead[i] = true
		}
	}
}

// chooseMetas keeps the newest metadata and, if another file has a newer content
// type, that one too; of two files of one time only the one with the newer
// content type. The content type comes last in s.metas.
func (s *Set) chooseMetas() {
	for i := range s.infos {
		if !s.dead[i] && s.infos[i].Ext == extMeta {
			s.metas = append(s.metas, i)
			s.dead[i] = true // until chosen
		}
	}
	if len(s.metas) == 0 {
		return
	}
	first := s.metas[0]
	keep := s.metas[:1]
	if len(s.metas) > 1 {
		second := s.metas[1]
		for _, i := range s.metas[2:] {
			if s.ctype(i).Compare(s.ctype(second)) > 0 {
				second = i
			}
		}
		if s.ctype(second).Compare(s.ctype(first)) > 0 {
			if s.infos[second].Time == s.infos[first].Time {
				keep[0] = second
			} else {
				keep = append(keep, second)
			}
		}
	}
	s.metas = keep
	for _, i := range keep {
		s.dead[i] = false
	}
}

// ctype is the time of a file's content type; none counts as the epoch.
func (s *Set) ctype(i int) timestamp.Timestamp { return s.infos[i].CType }

// choose makes the object of a data file: older data and every other file that
// is not newer are dead. Data files of the same time stay (their names differ).
func (s *Set) choose(data int) {
	at := s.infos[data].Time
	for i := range s.infos {
		c := s.infos[i].Time.Compare(at)
		if s.infos[i].Ext == extData && c < 0 || s.infos[i].Ext != extData && c <= 0 {
			s.dead[i] = true
		}
	}
	s.Data = &s.infos[data]
	s.metas = slices.DeleteFunc(s.metas, func(i int) bool { return s.dead[i] })
	if len(s.metas) == 0 {
		return
	}
	s.Meta = &s.infos[s.metas[0]]
	if last := s.metas[len(s.metas)-1]; s.ctype(last).Compare(at) > 0 {
		s.CType = &s.infos[last]
	}
}

// reclaimable is strict: at exactly reclaimAge a file stays.
func (s *Set) reclaimable(i int, now time.Time, reclaimAge time.Duration) bool {
	// Doubles, as in Swift, so that both decide alike.
	age := float64(now.UnixNano())/1e9 - s.infos[i].Time.Seconds()
	return age > reclaimAge.Seconds()
}

// Waiting are the files of metadata that are kept without data, newest first: their
// data may still be on the way.
func (s *Set) Waiting() (metas []*Info) {
	if s.Data != nil {
		return nil
	}
	for _, i := range s.metas {
		if !s.dead[i] {
			metas = append(metas, &s.infos[i])
		}
	}
	return metas
}

// AppendHashText appends what the object adds to the md5 of its suffix: the
// times of the files that make its state. Contents, sizes and the object's hash
// are not in it. Swift: obj/diskfile.py _hash_suffix_dir.
func (s *Set) AppendHashText(dst []byte) []byte {
	for _, info := range []*Info{s.Meta, s.TS, s.Data} {
		if info != nil {
			dst = append(info.Time.AppendInternal(dst), info.Ext...)
		}
	}
	if s.CType != nil {
		dst = append(s.CType.CType.AppendInternal(dst), "_ctype"...)
	}
	return dst
}
