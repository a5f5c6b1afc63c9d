package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"understudy/internal/fault"
)

// stash is where a device keeps, as hard links, what an undone removal brings back.
const stash = ".fault-stash"

// journal knows what a power cut may take: changes of directories since the last
// SyncDir that was none of a lie, and content since the last fsync. It goes by paths,
// on the real file system.
//
// It is the pessimist's disk of POSIX: nothing is durable that was not synced itself.
type journal struct {
	mu      sync.Mutex
	changes []change
	dirty   map[*file]string // path of content that is not durable
	down    map[string]fault.Hit
	faults  *fault.Injector
	always  bool
	kept    int // numbers the names in the stash
}

// mostChanges bounds the journal. The oldest changes are taken for durable, as a disk
// makes them by itself after some time.
const mostChanges = 1 << 16

// on tells whether anything is kept: whether the plan in force has a crash.
func (j *journal) on() bool { return j.always || j.faults.Has(fault.Disk, "crash") }

// change is one change of a directory and how it is taken back. Directories move, and what
// was changed in them with them: paths are those of now.
type change struct {
	device, dir, name string
	from              string                        // of a rename: the path that it had before
	undo              func(path, from string) error // path is that of name in dir
	kept              *kept                         // given up when the change is durable
}

// path is what the change is about.
func (c *change) path() string { return c.dir + "/" + c.name }

// moved is where a path leads that was in a directory, or that directory, before that got
// another name.
func moved(path, old, now string) string {
	if rest, ok := strings.CutPrefix(path, old); ok && (rest == "" || rest[0] == '/') {
		return now + rest
	}
	return path
}

// move gives changes the paths that they have since something has another name.
func move(changes []change, old, now string) {
	for i := range changes {
		c := &changes[i]
		c.dir = moved(c.dir, old, now)
		if c.from != old { // a name that was taken from a place, not what was in it
			c.from = moved(c.from, old, now)
		}
	}
}

func newJournal(faults *fault.Injector, always bool) *journal {
	return &journal{dirty: map[*file]string{}, down: map[string]fault.Hit{}, faults: faults, always: always}
}

// kept is a file that has lost its name but may get it back.
type kept struct{ path string }

func (k *kept) drop() {
	if k != nil {
		_ = os.Remove(k.path) // a link of ours; a disk that is gone has none
	}
}

// keep saves what a name leads to, before it is taken away. Nil when there is nothing.
func (j *journal) keep(device, path string) *kept {
	if !j.on() {
		return nil
	}
	j.mu.Lock()
	j.kept++
	name := filepath.Join(device, stash, strconv.Itoa(j.kept))
	j.mu.Unlock()
	_ = os.Mkdir(filepath.Dir(name), 0o700) // EEXIST mostly; Link tells of the rest
	if err := os.Link(path, name); err != nil {
		return nil
	}
	return &kept{name}
}

func (j *journal) add(c change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.changes) == mostChanges {
		j.changes[0].kept.drop()
		j.changes = append(j.changes[:0], j.changes[1:]...)
	}
	j.changes = append(j.changes, c)
}

// made notes a new name.
func (j *journal) made(device, dir, name string) {
	if !j.on() {
		return
	}
	j.add(change{device: device, dir: dir, name: name, undo: func(path, _ string) error { return os.Remove(path) }})
}

// removedDir notes the end of an empty directory.
func (j *journal) removedDir(device, dir, name string) {
	if !j.on() {
		return
	}
	j.add(change{device: device, dir: dir, name: name, undo: func(path, _ string) error { return os.Mkdir(path, 0o755) }})
}

// removed notes the end of a name.
func (j *journal) removed(device, dir, name string, k *kept) {
	if !j.on() {
		return
	}
	j.add(change{device: device, dir: dir, name: name, kept: k, undo: func(path, _ string) error { return k.bring(path) }})
}

func (k *kept) bring(path string) error {
	if k == nil {
		return nil
	}
	return os.Rename(k.path, path)
}

// renamed notes that something has another name, and what had that before. What is not
// durable below a directory goes with it.
func (j *journal) renamed(device, old, dir, name string, k *kept) {
	if !j.on() {
		return
	}
	now := dir + "/" + name
	j.mu.Lock()
	for f, at := range j.dirty {
		j.dirty[f] = moved(at, old, now)
	}
	move(j.changes, old, now)
	j.mu.Unlock()
	j.add(change{device: device, dir: dir, name: name, from: old, kept: k, undo: func(path, from string) error {
		return errors.Join(os.Rename(path, from), k.bring(path))
	}})
}

// synced forgets the changes of a directory: they are durable.
func (j *journal) synced(dir string) {
	if !j.on() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	left := j.changes[:0]
	for _, c := range j.changes {
		if c.dir != dir {
			left = append(left, c)
			continue
		}
		c.kept.drop()
	}
	clear(j.changes[len(left):])
	j.changes = left
}

// wrote notes content that is not durable; clean that it is, or nobody's any more.
func (j *journal) wrote(f *file, path string) {
	if !j.on() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dirty[f] = path
}

func (j *journal) clean(f *file) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.dirty, f)
}

// named notes that a file has got a name.
func (j *journal) named(f *file, path string) {
	if !j.on() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.dirty[f]; ok {
		j.dirty[f] = path
	}
}
