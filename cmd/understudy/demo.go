package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"understudy/internal/lab"
)

// demo is one run of the demonstration.
type demo struct {
	nodes   int
	disks   int // of each node
	objects int
	seed    uint64
	keep    bool
	dir     string // the folder is made in it; os.TempDir when empty

	damage func(*lab.Cluster, *lab.History) error // for tests: called before each check
}

const demoReplicas = 3

func newDemo() *cobra.Command {
	d := &demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Lose a disk of a small cluster and watch it come back",
		Long: `Run a small cluster in a temporary folder and lose one of its disks.

Every node has its own configuration, disks, object server and replication
engine; all run in this process, on loopback addresses, and push objects to each
other by SSYNC. Objects are written as Swift writes them, one disk is emptied as
if it had been replaced, and the engines run pass after pass until all copies
are back. Then every byte, all metadata and every suffix hash are checked.

It needs no other program, no root, no Swift, and leaves nothing behind.
Exit codes: 0 all is back, 1 it is not, 2 bad command line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.check(); err != nil {
				return usageError{err}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			return d.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().IntVar(&d.nodes, "nodes", 4, "storage nodes")
	cmd.Flags().IntVar(&d.disks, "disks", 3, "disks of each node")
	cmd.Flags().IntVar(&d.objects, "objects", 400, "objects to write")
	cmd.Flags().Uint64Var(&d.seed, "seed", 1, "draws the objects, the ring and the disk to lose")
	cmd.Flags().BoolVar(&d.keep, "keep", false, "keep the folder: disks, rings, configuration, logs")
	cmd.Flags().StringVar(&d.dir, "dir", "", "make the folder in `DIR` (default $TMPDIR or /tmp)")
	return cmd
}

func (d *demo) check() error {
	switch {
	case d.nodes < 1 || d.nodes > lab.MaxNodes:
		return fmt.Errorf("--nodes %d is not between 1 and %d", d.nodes, lab.MaxNodes)
	case d.disks < 1 || d.disks > lab.MaxDisks:
		return fmt.Errorf("--disks %d is not between 1 and %d", d.disks, lab.MaxDisks)
	case d.nodes*d.disks < demoReplicas:
		return fmt.Errorf("%s with %s: %d copies need as many disks", plural(d.nodes, "node"), plural(d.disks, "disk"), demoReplicas)
	case d.objects < 1 || d.objects > lab.MaxObjects:
		return fmt.Errorf("--objects %d is not between 1 and %d", d.objects, lab.MaxObjects)
	}
	return nil
}

// run makes the folder, shows the demonstration in it and removes it.
func (d *demo) run(ctx context.Context, out, errOut io.Writer) (err error) {
	folder, err := d.makeFolder()
	if err != nil {
		return err
	}
	p := &demoPrinter{out: out, progress: errOut}
	defer func() {
		if d.keep {
			p.printf("kept: %s", folder)
		} else if rmErr := os.RemoveAll(folder); rmErr != nil {
			err = errors.Join(err, fmt.Errorf("remove the folder of the demo: %w", rmErr))
		}
	}()
	err = d.show(ctx, folder, p)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// makeFolder makes a folder whose files can have user xattrs.
func (d *demo) makeFolder() (string, error) {
	return folderIn(d.dir, "demo")
}

// folderIn makes a folder for an experiment in another, os.TempDir when that is empty.
func folderIn(parent, what string) (string, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", fmt.Errorf("find the folder of the %s: %w", what, err)
	}
	ok, err := lab.HasXattrs(parent)
	if err != nil {
		return "", fmt.Errorf("no %s in %s: %w", what, parent, err)
	}
	if !ok {
		return "", noXattrs(parent)
	}
	folder, err := os.MkdirTemp(parent, "understudy-"+what+"-")
	if err != nil {
		return "", fmt.Errorf("make the folder of the %s: %w", what, err)
	}
	return folder, nil
}

// noXattrs names a folder that would do, if there is one.
func noXattrs(parent string) error {
	advice := "use --dir with a folder on ext4, XFS or another file system that has them"
	home, _ := os.UserHomeDir()
	here, _ := os.Getwd()
	for _, dir := range []string{"/var/tmp", home, here} {
		if ok, err := lab.HasXattrs(dir); dir != "" && ok && err == nil {
			advice = "use --dir " + dir
			break
		}
	}
	return fmt.Errorf("files in %s cannot have user xattrs, in which Swift keeps metadata: %s", parent, advice)
}
