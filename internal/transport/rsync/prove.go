package rsync

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"understudy/internal/zoo"
	"understudy/messages"
)

// prove tells which files of a handoff the target is known to hold after a push, or
// to have held and dropped for newer ones.
//
// Unlike Swift: rsync's exit status 0 says only that the target has files of
// these names, for --ignore-existing looks no further. After a power cut they may
// be empty: rsync does not fsync. So a second rsync, which writes nothing, lists
// what differs in size; that is not proven.
func (t *Transport) prove(ctx context.Context, log zerolog.Logger, job messages.SyncJob, argv []string) (messages.Files, error) {
	if t.cfg.NamesAreProof || zoo.Bug("trust-exit-0") {
		return job.Held, nil
	}
	out := &output{}
	end, err := t.run(ctx, log, proofArgv(argv), out, true)
	if err != nil || end.code != 0 {
		return nil, err
	}
	missing, differ, ok := out.differing()
	if !ok {
		log.Error().Msg("rsync's list of differing files cannot be read: nothing is proven")
		return nil, nil
	}
	if len(missing) > 0 {
		ended, err := t.overtaken(ctx, log, argv, missing)
		if err != nil {
			return nil, err
		}
		missing = slices.DeleteFunc(missing, func(file string) bool { return slices.Contains(ended, file) })
	}
	if len(missing) > 0 {
		log.Info().Int("files", len(missing)).Str("first", missing[0]).Msg("files are not at the peer: the handoff is kept")
	}
	if len(differ) > 0 {
		log.Error().Int("files", len(differ)).Str("first", differ[0]).
			Msg("files of the same name and another size at the peer: the handoff is kept")
	}
	return without(job.Held, append(missing, differ...)), nil
}

// proofArgv is a push that only compares sizes.
func proofArgv(argv []string) []string {
	var out []string
	for _, arg := range argv {
		switch arg {
		case "--ignore-existing":
			out = append(out, "--size-only", "--dry-run")
		case "--xattrs", "--compress":
		default:
			out = append(out, arg)
		}
	}
	return out
}

// itemized is a line of rsync's about something that it would send.
var itemized = regexp.MustCompile(`^([<c])[fd](\S{9,}) (\S+)$`)

// differing are the paths below the partition of files that rsync would send: those
// that the peer has not, and those that it has in another size. ok is false when
// there is a line that says something else, or lines were lost.
func (o *output) differing() (missing, differ []string, ok bool) {
	lines, dropped := o.lines(true)
	if dropped > 0 {
		return nil, nil, false
	}
	for _, line := range lines { // new directories, "cd+", are left out: their files are listed
		m := itemized.FindStringSubmatch(line)
		switch {
		case m == nil:
			return nil, nil, false
		case m[1] != "<":
		case strings.HasPrefix(m[2], "+"):
			missing = append(missing, m[3])
		default:
			differ = append(differ, m[3])
		}
	}
	return missing, differ, true
}

// without leaves out the files at these paths (suffix/hash/name).
func without(held messages.Files, paths []string) messages.Files {
	drop := messages.Files{}
	for _, p := range paths {
		if parts := strings.Split(p, "/"); len(parts) == 3 {
			drop[parts[1]] = append(drop[parts[1]], parts[2])
		}
	}
	proven := messages.Files{}
	for hash, names := range held {
		for _, name := range names {
			if !slices.Contains(drop[hash], name) {
				proven[hash] = append(proven[hash], name)
			}
		}
	}
	return proven
}
