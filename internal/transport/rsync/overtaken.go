package rsync

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"understudy/internal/swift/diskfile"
)

// maxListed bounds the hash directories that one listing asks for: its filters go
// into the command line, and its answer into memory. The rest waits for the next pass.
const maxListed = 500

// overtaken tells which of the files that the peer has not are ended there by newer
// ones or by their age, and need not be there any more: the peer has cleaned up between
// our push and our proof. It asks the peer's daemon to list their directories.
func (t *Transport) overtaken(ctx context.Context, log zerolog.Logger, argv, missing []string) ([]string, error) {
	byDir := map[string][]string{} // suffix/hash → names
	for _, file := range missing {
		dir, name := path.Split(file)
		if strings.Count(dir, "/") == 2 && (byDir[dir] != nil || len(byDir) < maxListed) {
			byDir[dir] = append(byDir[dir], name)
		}
	}
	if len(byDir) == 0 {
		return nil, nil
	}
	out := &output{}
	end, err := t.run(ctx, log, listArgv(argv, slices.Sorted(maps.Keys(byDir))), out, true)
	if err != nil || end.code != 0 {
		return nil, err
	}
	there, err := out.listing()
	if err != nil {
		log.Error().Err(err).Msg("rsync's list of the peer's files cannot be read: nothing is proven by it")
		return nil, nil
	}
	var ended []string
	for dir, names := range byDir {
		for _, name := range names {
			if t.ended(name, there[dir]) {
				ended = append(ended, dir+name)
			}
		}
	}
	return ended, nil
}

// ended tells whether a file would not last beside the files that the peer has, by the
// rules of Swift's cleanup: a newer one there ends it, or it is a tombstone that is old
// enough to be reclaimed and has nothing to bury there.
// Swift: obj/diskfile.py cleanup_ondisk_files
func (t *Transport) ended(name string, there []string) bool {
	if slices.Contains(there, name) {
		return false
	}
	age := t.cfg.ReclaimAge
	if age <= 0 {
		age = 1<<63 - 1
	}
	var set diskfile.Set
	set.Read(append([]string{name}, there...), t.cfg.Clock.Now(), age)
	if info, err := diskfile.ParseName(name); err != nil || info.Ext == ".meta" && set.Data == nil && set.TS == nil {
		return false // metadata whose data may still be on its way
	}
	return slices.Contains(set.Remove, name) || set.Reclaim == name && len(set.Remove) == 0
}

// listArgv lists directories, suffix/hash/, below the partition that a push goes to.
func listArgv(push, dirs []string) []string {
	argv := []string{"rsync", "--recursive", "--list-only", "--no-human-readable"}
	for _, arg := range push {
		if strings.HasPrefix(arg, "--timeout=") || strings.HasPrefix(arg, "--contimeout=") {
			argv = append(argv, arg)
		}
	}
	suffixes := map[string]bool{}
	for _, dir := range dirs {
		suffix, _, _ := strings.Cut(dir, "/")
		if !suffixes[suffix] {
			suffixes[suffix] = true
			argv = append(argv, "--include=/"+suffix+"/")
		}
		argv = append(argv, "--include=/"+dir, "--include=/"+dir+"*")
	}
	return append(argv, "--exclude=*", push[len(push)-1]+"/")
}

// listed is a line of rsync's about a file or directory that it was asked to list.
var listed = regexp.MustCompile(`^([-d])\S{9}\S* +[\d,.]+ \d{4}/\d\d/\d\d \d\d:\d\d:\d\d (\S+)$`)

// listing is the names of files by their directories (suffix/hash/).
func (o *output) listing() (map[string][]string, error) {
	lines, dropped := o.lines(true)
	if dropped > 0 {
		return nil, fmt.Errorf("read the list: %d bytes of it are lost", dropped)
	}
	files := map[string][]string{}
	for _, line := range lines {
		m := listed.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("read the list: unknown line %q", line)
		}
		if m[1] == "-" {
			dir, name := path.Split(m[2])
			files[dir] = append(files[dir], name)
		}
	}
	return files, nil
}
