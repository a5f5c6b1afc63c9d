package scenario

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed library/*.scenario
var library embed.FS

// Ending is that of a scenario's file.
const Ending = ".scenario"

// Library is all scenarios that come with the program, by name. A test sees to it that
// each of them can be read.
func Library() []*Scenario {
	var all []*Scenario
	entries, _ := library.ReadDir("library")
	for _, e := range entries {
		s, err := Named(strings.TrimSuffix(e.Name(), Ending))
		if err == nil {
			all = append(all, s)
		}
	}
	return all
}

// Named is a scenario of the library.
func Named(name string) (*Scenario, error) {
	text, err := Text(name)
	if err != nil {
		return nil, err
	}
	s, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	s.Name = name
	return s, nil
}

// Text is the file of a scenario of the library.
func Text(name string) (string, error) {
	text, err := library.ReadFile(path.Join("library", name+Ending))
	if err != nil {
		return "", fmt.Errorf("there is no scenario %q in the library: see \"understudy lab list\"", name)
	}
	return string(text), nil
}
