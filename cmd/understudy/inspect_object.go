package main

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"understudy/internal/inspect"
	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
	"understudy/messages"
)

// inspectObject is one run of inspect object.
type inspectObject struct {
	localNode
	verify bool
	asJSON bool
}

// defaultReclaimAge is Swift's, for when no configuration is named.
const defaultReclaimAge = 7 * 24 * time.Hour

func newInspectObject() *cobra.Command {
	i := &inspectObject{}
	cmd := &cobra.Command{
		Use:   "object FILE|DIR|/ACCOUNT/CONTAINER/OBJECT",
		Short: "Show the files of an object, by Swift's rules",
		Long: `Show the files in an object's directory: which of them are the object, which are
overtaken and would be removed, which are foreign, with all their metadata.

A FILE or DIR is looked at as it is; with --config the object's name is checked
against its directory. What is no path here is taken for an object's name and
looked for on all disks of this node.

Exit codes: 0 shown, 1 it cannot be read, is damaged or is nowhere, 2 bad command
line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return i.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	localFlags(cmd, &i.localNode)
	cmd.Flags().BoolVar(&i.verify, "verify", false, "read the body and compare its md5 with the ETag")
	cmd.Flags().BoolVar(&i.asJSON, "json", false, "print JSON")
	return cmd
}

func (i *inspectObject) run(ctx context.Context, out io.Writer, what string) error {
	dirs, err := i.dirs(ctx, what)
	if err != nil {
		return err
	}
	options := inspect.ObjectOptions{Verify: i.verify, ReclaimAge: defaultReclaimAge, Now: time.Now()}
	if i.cfg != nil {
		options.ReclaimAge = i.cfg.DiskFile.ReclaimAge
		options.Paths = i.hasher()
	}
	found := []*inspect.HashDir{}
	damaged := 0
	for _, dir := range dirs {
		h, err := inspect.ReadHashDir(ctx, dir, options)
		if err != nil {
			return err
		}
		found = append(found, h)
		damaged += len(h.Problems)
	}
	if i.asJSON {
		err = printJSON(out, found)
	} else {
		err = printHashDirs(out, found)
	}
	if err == nil && damaged > 0 {
		return fmt.Errorf("the object is damaged: %s", plural(damaged, "problem"))
	}
	return err
}

func (n *localNode) hasher() *hashpath.Hasher {
	return &hashpath.Hasher{Prefix: n.cfg.Swift.HashPrefix, Suffix: n.cfg.Swift.HashSuffix}
}

// dirs are the hash directories that an argument means.
func (i *inspectObject) dirs(ctx context.Context, what string) ([]string, error) {
	info, err := os.Lstat(what)
	name, isName := store.ParseObjectName(what)
	if err != nil && (!isName || !os.IsNotExist(err)) {
		return nil, err
	}
	if err != nil || i.confPath != "" {
		if err := i.load(); err != nil {
			return nil, err
		}
	}
	switch {
	case err == nil && info.IsDir():
		return []string{what}, nil
	case err == nil:
		return []string{filepath.Dir(what)}, nil
	}
	return i.copies(ctx, name)
}

// copies are the directories of an object on this node's disks.
func (i *inspectObject) copies(ctx context.Context, name store.ObjectName) ([]string, error) {
	p, err := i.chosen()
	if err != nil {
		return nil, err
	}
	r, err := i.ring(ctx, p)
	if err != nil {
		return nil, err
	}
	sum := i.hasher().Hash(name.Account, name.Container, name.Object)
	place := messages.Partition{Policy: p.Index, Number: hashpath.Partition(sum, uint(33-bits.Len32(r.Partitions())))}
	var dirs []string
	disks := i.disks()
	for _, n := range r.Local() {
		place.Device = n.Device
		dir := filepath.Join(disks.PartitionPath(place), hashpath.Suffix(sum), fmt.Sprintf("%x", sum))
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%s: %w", name.Path(), errNothingThere)
	}
	return dirs, nil
}
