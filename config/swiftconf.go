package config

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"understudy/internal/swift/policy"
)

// readSwiftConf reads swift.conf: one file, keys in lower case, every byte a
// character, so that a hash prefix can hold any.
//
// Unlike Swift: bytes that are no UTF-8 are no error of the whole file. They can
// only stand in comments, in the hash, or in policies, which are refused for it.
// Swift: common/utils.py validate_hash_conf (which is strict about duplicates).
func readSwiftConf(path string) (*document, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &SwiftConfError{Path: path, Err: err}
	}
	if info.IsDir() {
		return nil, &SwiftConfError{Path: path, Err: syscall.EISDIR}
	}
	d, err := readDocument(path, INI{LowerKeys: true, Latin1: true})
	var read *ReadError
	if errors.As(err, &read) {
		return nil, &SwiftConfError{Path: path, Err: read.Err}
	}
	return d, err
}

// readPolicies parses the [storage-policy:N] sections.
// Swift: common/storage_policy.py parse_storage_policies.
func (l *loader) readPolicies(d *document) {
	if d == nil {
		return
	}
	var sections []policy.Section
	for _, name := range d.sections {
		index, ok := strings.CutPrefix(name, "storage-policy:")
		if !ok {
			continue
		}
		s := d.swiftSection(name)
		if err := s.resolve(false); err != nil {
			l.problem(err)
			return
		}
		section := policy.Section{Index: index}
		for _, key := range s.keys() {
			section.Options = append(section.Options, policy.Setting{Key: asUTF8(key), Value: asUTF8(s.values[key])})
		}
		sections = append(sections, section)
	}
	set, err := policy.Parse(sections)
	if err != nil {
		l.problem(&PolicyError{Path: d.path, Err: err})
		return
	}
	l.c.Swift.Policies = set
	l.c.Warnings = append(l.c.Warnings, set.Warnings()...)
	_, refused := set.Replicated()
	for _, err := range refused {
		l.warn("%s", err)
	}
}

// readHash reads [swift-hash]. Swift: common/utils.py validate_hash_conf.
func (l *loader) readHash(d *document) {
	if d == nil {
		return
	}
	before := len(l.problems)
	l.readSwiftSection(d, "swift-hash", SwiftHash)
	if len(l.problems) > before {
		return // the values are there, but cannot be read
	}
	if len(l.c.Swift.HashPrefix) == 0 && len(l.c.Swift.HashSuffix) == 0 {
		l.problem(&HashError{Path: d.path})
	}
}

// asUTF8 is text as it would have been read in UTF-8, which Swift does for the
// policies; text that is no UTF-8 stays as it is.
func asUTF8(s string) string {
	if b, err := latin1(s); err == nil && utf8.Valid(b) {
		return string(b)
	}
	return s
}
