package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"understudy/internal/cluster"
)

// junkName begins the names of what no program of Swift makes. Nobody may remove it.
const junkName = "soak-junk"

// junk leaves something in Swift's folders that people and broken programs leave. It
// goes to a folder that no trouble befalls.
func (s *soak) junk() *deed {
	node := s.c.Nodes[mounted+s.rnd.IntN(nodes-mounted)]
	at := cluster.Device{IP: node.IP, Name: pick(s.rnd, node.Devices...)}
	what := pick(s.rnd, "file", "folder", "link", "old upload", "partition that is a file",
		"spoilt hashes", "empty hashes", "noise in hashes.invalid")
	nth := s.rnd.IntN(1 << 16)
	return &deed{kind: "junk", on: place(s.c, at) + " " + what, do: func(context.Context) error {
		return leave(node.DevicePath(at.Name), what, nth)
	}}
}

func leave(device, what string, nth int) error {
	name := fmt.Sprintf("%s-%d", junkName, nth)
	below := filepath.Join(device, "objects")
	parts, err := filepath.Glob(below + "/[0-9]*/")
	if err != nil {
		return err
	}
	if len(parts) > 0 && nth%2 == 0 || strings.Contains(what, "hashes") {
		if len(parts) == 0 {
			return nil
		}
		below = parts[nth%len(parts)]
	}
	switch what {
	case "file":
		return os.WriteFile(filepath.Join(below, name), []byte("left behind"), 0o600)
	case "folder":
		return os.MkdirAll(filepath.Join(below, name, "abc"), 0o700)
	case "link":
		return os.Symlink("/etc/passwd", filepath.Join(below, name))
	case "old upload":
		return os.WriteFile(filepath.Join(device, "tmp", name), []byte("half a fi"), 0o644)
	case "partition that is a file":
		f, err := os.OpenFile(filepath.Join(device, "objects", fmt.Sprint(nth%(1<<partPower))), os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err // there is such a partition
		}
		return f.Close()
	case "spoilt hashes":
		return change(filepath.Join(below, "hashes.pkl"), "\x00\xffno pickle at all", os.O_TRUNC)
	case "empty hashes":
		return change(filepath.Join(below, "hashes.pkl"), "", os.O_TRUNC)
	}
	// What stands there already must be obeyed still.
	return change(filepath.Join(below, "hashes.invalid"), "no suffix\nzzz\n\n", os.O_APPEND)
}

// change changes a file that is there, and makes none: Swift's user owns it.
func change(path, text string, how int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|how, 0)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}
