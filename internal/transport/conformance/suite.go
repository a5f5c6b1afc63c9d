package conformance

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/messages"
)

const (
	older = "1700000000.00000"
	newer = "1700000001.00000"
	last  = "1700000002.00000"

	// patience is not what is measured: a test that waits so long has failed.
	patience = 30 * time.Second
)

type suite struct {
	*testing.T
	Fixture
}

// sync runs one job and checks that it has not changed the source.
func (s *suite) sync(job messages.SyncJob) (bool, error) {
	s.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	part := job.Partition.Number
	before := s.Source.Files(part)
	res, err := s.Transport.Sync(ctx, job)
	if after := s.Source.Files(part); !maps.Equal(before, after) || (before == nil) != (after == nil) {
		s.Errorf("the source has changed:\n was %v\n is  %v", before, after)
	}
	return res.OK && err == nil, err
}

func (s *suite) mustSync(job messages.SyncJob) {
	s.Helper()
	if ok, err := s.sync(job); !ok {
		s.Fatalf("sync of %s %v was no success (error: %v)", job.Partition, job.Suffixes, err)
	}
}

func (s *suite) mustFail(job messages.SyncJob) {
	s.Helper()
	if ok, _ := s.sync(job); ok {
		s.Fatalf("sync of %s %v was a success", job.Partition, job.Suffixes)
	}
}

// target checks what the target holds.
func (s *suite) target(part uint32, want map[string]File) {
	s.Helper()
	got := s.Target.Files(part)
	for path, f := range want {
		switch g, ok := got[path]; {
		case !ok:
			s.Errorf("target lacks %s", path)
		case g.Data != f.Data:
			s.Errorf("target's %s holds %d bytes %.40q, want %d bytes %.40q", path, len(g.Data), g.Data, len(f.Data), f.Data)
		case g.Metadata != f.Metadata:
			s.Errorf("target's %s has metadata %q, want %q", path, g.Metadata, f.Metadata)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			s.Errorf("target holds %s too", path)
		}
	}
}

// fill puts one data file for each object into the source and returns them.
func (s *suite) fill(part uint32, objects []Object) map[string]File {
	files := map[string]File{}
	for i, o := range objects {
		files[o.Path(newer, ".data")] = o.Data(newer, strings.Repeat("body of "+o.Name, 1+i*20000))
	}
	s.put(s.Source, part, files)
	return files
}

func (s *suite) put(side Side, part uint32, files map[string]File) {
	for path, f := range files {
		side.Put(part, path, f)
	}
}

func suffixes(objects []Object) []string {
	var names []string
	for _, o := range objects {
		names = append(names, o.Suffix)
	}
	return names
}

func newSuffixes(s *suite) {
	objects := Objects(7, 3)
	want := s.fill(7, objects)
	path := objects[0].Path(newer, ".data")
	want[path] = objects[0].Data(newer, "")
	s.Source.Put(7, path, want[path])
	s.mustSync(s.Job(7, suffixes(objects)...))
	s.target(7, want)
}

func revert(s *suite) {
	objects := Objects(7, 2)
	want := s.fill(7, objects)
	job := s.Job(7, suffixes(objects)...)
	job.Handoff = true
	s.mustSync(job)
	s.target(7, want)
}

func onlyNamed(s *suite) {
	objects := Objects(9, 3)
	s.fill(9, objects)
	named := objects[1]
	s.mustSync(s.Job(9, named.Suffix))
	path := named.Path(newer, ".data")
	s.target(9, map[string]File{path: s.Source.Files(9)[path]})
}

func keepExisting(s *suite) {
	o := Objects(3, 1)[0]
	path := o.Path(older, ".data")
	theirs := o.Data(older, "what the target holds")
	s.Target.Put(3, path, theirs)
	s.Source.Put(3, path, o.Data(older, "what the source holds"))
	s.mustSync(s.Job(3, o.Suffix))
	s.target(3, map[string]File{path: theirs})
}

func someExist(s *suite) {
	objects := Objects(5, 4)
	want := s.fill(5, objects)
	for _, o := range objects[:2] {
		path := o.Path(newer, ".data")
		s.Target.Put(5, path, want[path])
	}
	s.mustSync(s.Job(5, suffixes(objects)...))
	s.target(5, want)
}

func tombstones(s *suite) {
	objects := Objects(6, 2)
	deleted, changed := objects[0], objects[1]
	want := map[string]File{
		deleted.Path(newer, ".ts"):   deleted.Tombstone(newer),
		changed.Path(older, ".data"): changed.Data(older, "body"),
		changed.Path(last, ".meta"):  changed.Meta(last, "blue"),
	}
	s.put(s.Source, 6, want)
	s.mustSync(s.Job(6, suffixes(objects)...))
	s.target(6, want)
}

func temporaryFiles(s *suite) {
	o := Objects(4, 1)[0]
	data := o.Data(newer, "body")
	s.Source.Put(4, o.Path(newer, ".data"), data)
	s.Source.Put(4, o.Dir+"/."+newer+".data.a1B2c3", File{Data: "half a bo"})
	s.mustSync(s.Job(4, o.Suffix))
	s.target(4, map[string]File{o.Path(newer, ".data"): data})
}

func missingTarget(s *suite) {
	objects := Objects(8, 2)
	s.fill(8, objects)
	s.Unmount()
	for _, handoff := range []bool{false, true} {
		job := s.Job(8, suffixes(objects)...)
		job.Handoff = handoff
		s.mustFail(job)
	}
	if names := s.MountPoint(); len(names) > 0 {
		s.Errorf("the empty mount point now holds %q", names)
	}
}

func missingSource(s *suite) {
	s.mustFail(s.Job(2, "abc")) // no partition at all
	o := Objects(2, 1)[0]
	s.Source.Put(2, o.Path(newer, ".data"), o.Data(newer, "body"))
	other := "abc"
	if o.Suffix == other {
		other = "abd"
	}
	s.mustFail(s.Job(2, other))
	if files := s.Target.Files(2); len(files) > 0 {
		s.Errorf("the target holds %v", files)
	}
}

func halfMissing(s *suite) {
	objects := Objects(11, 2)
	want := s.fill(11, objects[:1])
	s.mustSync(s.Job(11, suffixes(objects)...))
	s.target(11, want)
}

func concurrent(s *suite) {
	const parts = 8
	want := make([]map[string]File, parts)
	for part := range uint32(parts) {
		want[part] = s.fill(part, Objects(part, 2))
	}
	var all sync.WaitGroup
	for part := range uint32(parts) {
		all.Go(func() {
			ok, err := s.sync(s.Job(part, suffixes(Objects(part, 2))...))
			if !ok {
				s.Errorf("sync of partition %d was no success (error: %v)", part, err)
			}
		})
	}
	all.Wait()
	for part := range uint32(parts) {
		s.target(part, want[part])
	}
}

func again(s *suite) {
	objects := Objects(12, 2)
	want := s.fill(12, objects)
	for range 2 {
		s.mustSync(s.Job(12, suffixes(objects)...))
		s.target(12, want)
	}
}

// cancel freezes the target, so that the sync can only end by its context.
func cancel(s *suite) {
	objects := Objects(10, 1)
	s.fill(10, objects)
	s.Freeze()
	ctx, stop := context.WithCancel(context.Background())
	type answer struct {
		res messages.SyncResult
		err error
	}
	done := make(chan answer, 1)
	go func() {
		res, err := s.Transport.Sync(ctx, s.Job(10, suffixes(objects)...))
		done <- answer{res, err}
	}()
	select {
	case a := <-done:
		s.Fatalf("the sync ended with %v, %v before it was cancelled", a.res, a.err)
	case <-time.After(50 * time.Millisecond): // whether it has begun by now makes no difference
	}
	stop()
	select {
	case a := <-done:
		if !errors.Is(a.err, context.Canceled) || a.res.OK {
			s.Errorf("the cancelled sync returned %v, %v", a.res, a.err)
		}
	case <-time.After(patience):
		s.Error("the cancelled sync goes on")
	}
}

func cancelled(s *suite) {
	objects := Objects(10, 1)
	s.fill(10, objects)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	res, err := s.Transport.Sync(ctx, s.Job(10, suffixes(objects)...))
	if !errors.Is(err, context.Canceled) || res.OK {
		s.Errorf("the cancelled sync returned %v, %v", res, err)
	}
	if files := s.Target.Files(10); len(files) > 0 {
		s.Errorf("the target holds %v", files)
	}
}
