package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
	"understudy/internal/zoo"
	"understudy/messages"
)

// knownFiles refuses files that were not listed.
func (l *listing) knownFiles(files messages.Files) error {
	objects := 0
	for _, s := range l.suffixes {
		for _, o := range s.hashes {
			wanted, ok := files[o.name]
			if ok {
				objects++
			}
			for _, name := range wanted {
				if find(o.files, name) < 0 {
					return fmt.Errorf("%q of %s was not listed", name, o.name)
				}
			}
		}
	}
	if objects < len(files) {
		return fmt.Errorf("%d objects were not listed", len(files)-objects)
	}
	return nil
}

// choose picks the objects of which every file that is still there is to go. The
// others keep what they have: without its tombstone, older data would be back;
// without its newer metadata, data would have older metadata back. Metadata that is
// waiting may lose what lies beside it: that is ended everywhere, and what is left is
// offered alone.
func (r *remover) choose(files messages.Files) (todo []suffixDir) {
	for _, s := range r.present.suffixes {
		some := suffixDir{name: s.name}
		for _, o := range s.hashes {
			wanted := files[o.name]
			missing := slices.IndexFunc(o.files, func(f seen) bool { return !slices.Contains(wanted, f.name) })
			switch {
			case missing < 0 && len(o.files) > 0:
				some.hashes = append(some.hashes, o)
			case missing >= 0 && r.waits(&o, wanted):
				r.waiter = cmp.Or(r.waiter, s.name+"/"+o.name+"/"+o.files[missing].name)
				if len(wanted) > 0 {
					some.hashes = append(some.hashes, o)
				}
			case missing >= 0 && len(wanted) > 0:
				r.keep(fmt.Sprintf("%s/%s/%s is to stay", s.name, o.name, o.files[missing].name))
			case missing >= 0:
				r.whole = false // nobody has asked for it
			}
			r.stays(o.foreign, s.name+"/"+o.name+"/")
		}
		r.stays(s.foreign, s.name+"/")
		if len(some.hashes) > 0 {
			todo = append(todo, some)
		}
	}
	r.stays(r.present.foreign, "")
	return todo
}

// waits tells whether all that is to stay of an object is metadata that waits, and
// notes it.
func (r *remover) waits(o *hashDir, wanted []string) bool {
	o.stay = nil
	for _, f := range o.files {
		if slices.Contains(wanted, f.name) {
			continue
		}
		i, err := diskfile.ParseName(f.name)
		if err != nil || i.Ext != ".meta" || !slices.Contains(r.waiting[o.name], f.name) {
			return false
		}
		o.stay = append(o.stay, f.name)
	}
	return true
}

// stays makes sure that what is foreign keeps the partition.
func (r *remover) stays(foreign []string, dir string) {
	if r.whole && len(foreign) > 0 {
		r.keep(fmt.Sprintf("%q is not Swift's", dir+foreign[0]))
	}
}

// inPlace makes sure of all that may have changed under the lock: the device is
// mounted and the same, the partition's path leads to the partition that was
// listed, the lock file is still the one that is locked, and no suffix has been
// invalidated. It opens the directory that the partition is in.
func (r *remover) inPlace() (objects Dir, err error) {
	if zoo.Bug("no-fence") {
		return r.fs.OpenDir(r.device, messages.ObjectsDir(r.place.Policy), false)
	}
	want, err := r.check(r.place.Device)
	if err != nil {
		return Dir{}, err
	}
	got, err := r.fs.Stat(r.device, "", false)
	if err != nil {
		return Dir{}, err
	}
	if !got.same(want) {
		return Dir{}, &messages.DeviceError{Device: r.place.Device, Message: r.device.Path + " is not mounted"}
	}
	objects, err = r.fs.OpenDir(r.device, messages.ObjectsDir(r.place.Policy), false)
	if is(err, unix.ENOENT, unix.ENOTDIR) {
		return Dir{}, kept("the partition has been moved away")
	}
	if err != nil {
		return Dir{}, err
	}
	if err := r.unmoved(objects); err != nil {
		r.fs.CloseDir(objects)
		return Dir{}, err
	}
	return objects, nil
}

func (r *remover) unmoved(objects Dir) error {
	want, err := r.fs.Stat(r.dir, "", false)
	if err != nil {
		return err
	}
	got, err := r.fs.Stat(objects, partitionName(r.place), false)
	if is(err, unix.ENOENT) || err == nil && !got.same(want) {
		return kept("the partition has been moved away")
	}
	if err != nil {
		return err
	}
	stands, err := r.hold.stands()
	if err == nil && stands && r.self != nil {
		stands, err = r.named(lockFile, r.self)
	}
	if err != nil {
		return err
	}
	if !stands {
		return kept("its lock was lost")
	}
	i, err := r.fs.Stat(r.dir, invalidFile, false)
	if is(err, unix.ENOENT) {
		return nil
	}
	// An empty one counts, too: a push to this partition may have been noted in it
	// before hashing cleared it. Two nodes that take each other for the primary and
	// revert at once learn only by this note that the other counts on what is here:
	// each gets its note before it is asked for the proof.
	if err == nil && !r.invalid.is(i) {
		return kept("a suffix has been invalidated")
	}
	return err
}

// quiet lists the partition again and makes sure that nothing has arrived or
// changed since the first listing. It takes no .lock: that would keep PUTs waiting
// while a large partition is listed. Each object is looked at once more under it.
func (r *remover) quiet() (err error) {
	if r.present, err = r.listHandoff(r.ctx); err != nil {
		return err
	}
	if news := r.hold.listed.news(r.present); news != "" {
		return kept("%q has arrived", news)
	}
	return nil
}

// news is the first thing of a later listing that was not there before, or was
// another one; empty when there is none. Some of it may have gone.
func (l *listing) news(later *listing) string {
	if n := newName(l.foreign, later.foreign, ""); n != "" {
		return n
	}
	if n := newFile(l.temps, later.temps, ""); n != "" {
		return n
	}
	for _, s := range later.suffixes {
		i, ok := slices.BinarySearchFunc(l.suffixes, s.name, func(d suffixDir, name string) int { return strings.Compare(d.name, name) })
		if !ok {
			return s.name
		}
		if n := l.suffixes[i].news(&s); n != "" {
			return n
		}
	}
	return ""
}

func (s *suffixDir) news(later *suffixDir) string {
	path := s.name + "/"
	if n := newName(s.foreign, later.foreign, path); n != "" {
		return n
	}
	for _, o := range later.hashes {
		i, ok := slices.BinarySearchFunc(s.hashes, o.name, func(d hashDir, name string) int { return strings.Compare(d.name, name) })
		if !ok {
			return path + o.name
		}
		was, path := &s.hashes[i], path+o.name+"/"
		if n := newName(was.foreign, o.foreign, path); n != "" {
			return n
		}
		if n := newFile(was.temps, o.temps, path); n != "" {
			return n
		}
		if n := newFile(was.files, o.files, path); n != "" {
			return n
		}
	}
	return ""
}

func newName(names, later []string, path string) string {
	for _, name := range later {
		if _, ok := slices.BinarySearch(names, name); !ok {
			return path + name
		}
	}
	return ""
}

func newFile(files, later []seen, path string) string {
	for _, f := range later {
		if i := find(files, f.name); i < 0 || !files[i].is(f.info) {
			return path + f.name
		}
	}
	return ""
}

// find is the index of a name in sorted files, or -1.
func find(files []seen, name string) int {
	i, ok := slices.BinarySearchFunc(files, name, func(f seen, name string) int { return strings.Compare(f.name, name) })
	if !ok {
		return -1
	}
	return i
}
