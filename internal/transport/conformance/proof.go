package conformance

import (
	"maps"
	"path"
	"slices"

	"understudy/messages"
)

// held lists what the source has of a partition, as a revert job sees it.
func (s *suite) held(part uint32) messages.Files {
	files := messages.Files{}
	for p := range s.Source.Files(part) {
		hash := path.Base(path.Dir(p))
		files[hash] = append(files[hash], path.Base(p))
		slices.Sort(files[hash])
	}
	return files
}

// revertJob is a revert job for all of a partition.
func (s *suite) revertJob(part uint32, objects []Object) messages.SyncJob {
	job := s.Job(part, suffixes(objects)...)
	job.Handoff, job.Held = true, s.held(part)
	return job
}

func (s *suite) proven(job messages.SyncJob) messages.Files {
	s.Helper()
	r, err := s.Transport.Sync(s.Context(), job)
	if err != nil {
		s.Fatalf("sync: %v", err)
	}
	for _, names := range r.Proven {
		slices.Sort(names)
	}
	return r.Proven
}

func equal(a, b messages.Files) bool { return maps.EqualFunc(a, b, slices.Equal[[]string]) }

// What a revert has pushed is proven, and an update proves nothing: nobody would
// give anything up for it.
func provesWhatItPushed(s *suite) {
	objects := Objects(8, 3)
	want := s.fill(8, objects)
	job := s.revertJob(8, objects)
	if got := s.proven(job); !equal(got, job.Held) {
		s.Errorf("proven %v, want %v", got, job.Held)
	}
	s.target(8, want)
	if got := s.proven(job); !equal(got, job.Held) {
		s.Errorf("the second time proven %v, want %v", got, job.Held)
	}
	if got := s.proven(s.Job(8, suffixes(objects)...)); len(got) != 0 {
		s.Errorf("an update proved %v", got)
	}
}

// A file of the same name that holds less, as a power cut leaves it, is not
// proven unless the push has made it whole.
func truncatedTwin(s *suite) {
	objects := Objects(10, 2)
	s.fill(10, objects)
	twin := objects[0].Path(newer, ".data")
	whole := s.Source.Files(10)[twin]
	s.Target.Put(10, twin, File{Data: "", Metadata: whole.Metadata})
	job := s.revertJob(10, objects)
	proven := s.proven(job)
	there := s.Target.Files(10)[twin].Data == whole.Data
	if got := slices.Contains(proven[path.Base(path.Dir(twin))], path.Base(twin)); got && !there {
		s.Errorf("a truncated twin is proven: %v", proven)
	}
	other := objects[1].Path(newer, ".data")
	if !slices.Contains(proven[path.Base(path.Dir(other))], path.Base(other)) {
		s.Errorf("the other object is not proven: %v", proven)
	}
}

// What came after the listing is not proven, though it may have travelled.
func onlyWhatWasListed(s *suite) {
	objects := Objects(11, 2)
	s.fill(11, objects[:1])
	job := s.revertJob(11, objects[:1])
	job.Suffixes = suffixes(objects)
	late := objects[1].Path(newer, ".data")
	s.Source.Put(11, late, objects[1].Data(newer, "late"))
	if got := s.proven(job); !equal(got, job.Held) {
		s.Errorf("proven %v, want %v", got, job.Held)
	}
}

// A push that failed proves nothing.
func failureProvesNothing(s *suite) {
	objects := Objects(12, 1)
	s.fill(12, objects)
	s.Unmount()
	if got := s.proven(s.revertJob(12, objects)); len(got) != 0 {
		s.Errorf("proven %v", got)
	}
}
