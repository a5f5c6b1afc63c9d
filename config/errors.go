package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"understudy/internal/swift/policy/pytext"
)

// Every error of this package keeps Swift from starting too, or would make it
// misbehave: print it on stderr and exit with status 1, as Swift does.

// ReadError is a configuration file that cannot be read. Swift: common/utils.py
// readconf.
type ReadError struct {
	Path string
	Err  error
}

func (e *ReadError) Error() string { return "Unable to read config from " + e.Path }
func (e *ReadError) Unwrap() error { return e.Err }

// SectionError is a file without the section that was asked for. Swift:
// common/utils.py readconf.
type SectionError struct{ Section, Path string }

func (e *SectionError) Error() string {
	return fmt.Sprintf("Unable to find %s config section in %s", e.Section, e.Path)
}

// SyntaxError is text that Python's ConfigParser refuses.
type SyntaxError struct {
	File string
	Line int // 0 when it is not one line's fault
	Text string
}

func (e *SyntaxError) Error() string { return place(e.File, e.Line) + e.Text }

// ValueError is a value that cannot be used.
type ValueError struct {
	Option string
	Value  string
	Origin Origin
	Text   string // why, in Python's words where Python complains
}

func (e *ValueError) Error() string {
	return place(e.Origin.File, e.Origin.Line) + e.Option + ": " + e.Text
}

// HashError is a swift.conf without a hash path prefix and suffix. Swift:
// common/utils.py validate_configuration.
type HashError struct{ Path string }

func (e *HashError) Error() string {
	return "Error: [swift-hash]: both swift_hash_path_suffix and swift_hash_path_prefix are missing from " + e.Path
}

// PolicyError is a swift.conf whose storage policies are refused; Err is a
// *policy.Error. Swift: common/storage_policy.py reload_storage_policies.
type PolicyError struct {
	Path string
	Err  error
}

func (e *PolicyError) Error() string {
	return fmt.Sprintf("ERROR: Invalid Storage Policy Configuration in %s (%s)", e.Path, e.Err)
}
func (e *PolicyError) Unwrap() error { return e.Err }

// SwiftConfError is a swift.conf that cannot be opened; its text is Python's,
// because Swift does not catch the exception.
type SwiftConfError struct {
	Path string
	Err  error
}

func (e *SwiftConfError) Error() string {
	name, errno := "OSError", syscall.EIO
	errors.As(e.Err, &errno)
	text := errno.Error()
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		name, text = "FileNotFoundError", "No such file or directory"
	case errors.Is(e.Err, fs.ErrPermission):
		name, text = "PermissionError", "Permission denied"
	case errors.Is(e.Err, syscall.EISDIR):
		name, text = "IsADirectoryError", "Is a directory"
	}
	return fmt.Sprintf("%s: [Errno %d] %s: %s", name, int(errno), text, pytext.Repr(e.Path))
}
func (e *SwiftConfError) Unwrap() error { return e.Err }

// Problems are all errors that were found, in the order in which Swift would
// have met them.
type Problems []error

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, err := range p {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each problem.
func (p Problems) Unwrap() []error { return p }

// orNil is the problems as an error: nil when there are none.
func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

func place(file string, line int) string {
	switch {
	case file == "":
		return ""
	case line == 0:
		return file + ": "
	}
	return fmt.Sprintf("%s:%d: ", file, line)
}
