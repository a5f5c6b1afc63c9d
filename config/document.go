package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

const maxConfFiles = 1000 // of one conf.d folder

// Origin is where a value was written. The zero Origin is a built-in default.
type Origin struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Section string `json:"section,omitempty"`
}

// String is file:line [section], or "default".
func (o Origin) String() string {
	if o.File == "" {
		return "default"
	}
	return o.File + ":" + strconv.Itoa(o.Line) + " [" + o.Section + "]"
}

// before orders origins of one document as they were read.
func (o Origin) before(other Origin) bool {
	if o.File != other.File {
		return o.File < other.File
	}
	return o.Line < other.Line
}

// document is one file, or the files of one folder merged: raw values and where
// each came from.
type document struct {
	path     string
	sections []string                     // in order of appearance, without DEFAULT
	raw      map[string]map[string]string // by section, then key
	origins  map[string]map[string]Origin // as raw; the key "" is the section's own line
	skipped  []string                     // files of a folder that could not be read
}

// readDocument reads a file, or every .conf file of a folder in order; a later
// file wins over an earlier one. The INI tells which variant of the dialect.
// Swift: common/utils.py readconf, read_conf_dir.
func readDocument(path string, dialect INI) (*document, error) {
	files, folder, err := confFiles(path)
	if err != nil {
		return nil, &ReadError{Path: path, Err: err}
	}
	d := &document{path: path, origins: map[string]map[string]Origin{}}
	ko := koanf.New(delim)
	read := 0
	var problems Problems
	for _, name := range files {
		parser := dialect
		parser.File = name
		err := loadFile(ko, name, &parser)
		var syntax *SyntaxError
		switch {
		case err == nil:
			read++
			d.remember(&parser)
		case errors.As(err, &syntax):
			problems = append(problems, err)
		case folder:
			d.skipped = append(d.skipped, name)
		default:
			return nil, &ReadError{Path: path, Err: err}
		}
	}
	if err := problems.orNil(); err != nil {
		return nil, err
	}
	if read == 0 {
		return nil, &ReadError{Path: path, Err: errors.New("no file can be read")}
	}
	d.take(ko)
	return d, nil
}

// confFiles lists what path stands for.
func confFiles(path string) (files []string, folder bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	if !info.IsDir() {
		return []string{path}, false, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, true, err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".conf") && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(path, name))
		}
	}
	if len(files) > maxConfFiles {
		return nil, true, fmt.Errorf("%d files are more than %d", len(files), maxConfFiles)
	}
	slices.Sort(files)
	return files, true, nil
}

// loadFile adds one file to ko. The size is looked at first, because koanf's
// provider reads whatever there is.
func loadFile(ko *koanf.Koanf, name string, parser *INI) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", name)
	case info.Size() > maxFileSize:
		return &SyntaxError{File: name, Text: fmt.Sprintf("file is larger than %d bytes", maxFileSize)}
	}
	return ko.Load(file.Provider(name), parser)
}

// remember notes where the file's sections and keys stood.
func (d *document) remember(p *INI) {
	for _, section := range p.Sections {
		if !slices.Contains(d.sections, section) {
			d.sections = append(d.sections, section)
		}
	}
	for section, keys := range p.Lines {
		if d.origins[section] == nil {
			d.origins[section] = make(map[string]Origin, len(keys))
		}
		for key, line := range keys {
			d.origins[section][key] = Origin{File: p.File, Line: line, Section: section}
		}
	}
}

// take copies the merged values out of koanf.
func (d *document) take(ko *koanf.Koanf) {
	d.raw = map[string]map[string]string{}
	for section, keys := range ko.Raw() {
		m := map[string]string{}
		for key, value := range keys.(map[string]any) {
			m[key] = value.(string)
		}
		d.raw[section] = m
	}
}

// has reports whether a section other than DEFAULT is there.
func (d *document) has(section string) bool {
	return section != defaultSection && slices.Contains(d.sections, section)
}
