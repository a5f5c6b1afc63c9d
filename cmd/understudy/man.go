package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"understudy/internal/manual"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages",
		Long: `Write the manual pages into DIR/man1 and DIR/man5: understudy(1) and a page for
each of its commands, swift-object-replicator(1), and understudy-config(5) with
every option. DIR can be /usr/local/share/man.

Exit codes: 0 written, 1 they could not be, 2 bad command line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManual(cmd.Root(), args[0])
		},
	}
}

func writeManual(root *cobra.Command, dir string) error {
	commands, files := filepath.Join(dir, "man1"), filepath.Join(dir, "man5")
	for _, d := range []string{commands, files} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make the folder of the manual: %w", err)
		}
	}
	for _, cmd := range every(root) {
		page, err := manOf(cmd)
		if err == nil {
			err = os.WriteFile(filepath.Join(commands, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"), page, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write the manual: %w", err)
		}
	}
	for path, page := range map[string][]byte{
		filepath.Join(commands, "swift-object-replicator.1"): []byte(manual.Replicator),
		filepath.Join(files, "understudy-config.5"):          referenceMan(),
	} {
		if err := os.WriteFile(path, page, 0o644); err != nil {
			return fmt.Errorf("write the manual: %w", err)
		}
	}
	return nil
}

// manOf is the page of one command. It has no date: the same program writes the same.
func manOf(cmd *cobra.Command) ([]byte, error) {
	cmd.DisableAutoGenTag = true
	var page bytes.Buffer
	head := &doc.GenManHeader{Section: "1", Source: "Understudy", Manual: "Understudy Manual", Date: &time.Time{}}
	if err := doc.GenMan(cmd, head, &page); err != nil {
		return nil, err
	}
	return bytes.Replace(page.Bytes(), []byte(head.Date.Format(`"Jan 2006"`)), []byte(`""`), 1), nil
}
