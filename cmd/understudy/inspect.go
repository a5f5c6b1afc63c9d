package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"understudy/bootstrap"
	"understudy/internal/inspect"
	"understudy/internal/swift/ring"
)

func newInspect() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Look into rings, hashes and objects",
		Long: `Look into a ring, the suffix hashes of a partition, or the files of an object.

Nothing is changed: no file is written, cleaned up or quarantined, and no lock is
taken. No engine need run.`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(newInspectRing(), newInspectHashes(), newInspectObject())
	return cmd
}

// inspectRing is one run of inspect ring.
type inspectRing struct {
	localNode
	partition int64
	asJSON    bool
}

func newInspectRing() *cobra.Command {
	i := &inspectRing{}
	cmd := &cobra.Command{
		Use:   "ring FILE|POLICY",
		Short: "Show a ring: devices, weights, balance, where a partition lives",
		Long: `Show a ring file, or the ring of a policy (by index or name) that the node's
configuration leads to: its devices with their weight, how many partitions each
has, and by how many percent that is more than its weight asks for. Devices of
this node are marked; for a FILE only if --config tells which node this is.

Exit codes: 0 shown, 1 it cannot be read, 2 bad command line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("partition") && (i.partition < 0 || i.partition > 1<<32-1) {
				return usageError{fmt.Errorf("--partition %d is not the number of a partition", i.partition)}
			}
			return i.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	configFileFlags(cmd, &i.localNode)
	cmd.Flags().Int64Var(&i.partition, "partition", -1, "also show where partition `N` lives")
	cmd.Flags().BoolVar(&i.asJSON, "json", false, "print JSON")
	return cmd
}

func (i *inspectRing) run(ctx context.Context, out io.Writer, what string) error {
	path := what
	isFile := strings.ContainsRune(what, os.PathSeparator)
	if !isFile {
		_, err := os.Stat(what)
		isFile = err == nil
	}
	if !isFile || i.confPath != "" {
		if err := i.load(); err != nil {
			return err
		}
	}
	if !isFile {
		i.policy = what
		p, err := i.chosen()
		if err != nil {
			return err
		}
		path = bootstrap.RingPath(i.cfg.SwiftDir, p.Index)
	}
	r, err := ring.Load(path)
	if err != nil {
		return err
	}
	local, err := i.localDevices(ctx, r)
	if err != nil {
		return err
	}
	shown := inspect.ReadRing(path, r, local)
	if i.partition >= 0 && !shown.Find(r, uint32(i.partition), local) {
		return fmt.Errorf("%s has no partition %d: it has 0 to %d", path, i.partition, r.Partitions()-1)
	}
	if i.asJSON {
		return printJSON(out, shown)
	}
	return printRing(out, shown)
}

// localDevices are this node's, or none if it is not known which node this is.
func (n *localNode) localDevices(ctx context.Context, r *ring.Ring) ([]*ring.Device, error) {
	if n.cfg == nil {
		return nil, nil
	}
	ip := n.cfg.RingIP
	if ip == "" {
		ip = n.cfg.BindIP
	}
	ips, err := ring.MyIPs(ip)
	if err != nil {
		return nil, fmt.Errorf("find the addresses of this node: %w", err)
	}
	return r.Local(ctx, ips, n.cfg.BindPort, n.cfg.ServersPerPort != 0, net.DefaultResolver), nil
}

func newInspectHashes() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "hashes DIR",
		Short: "Show what a partition remembers of its suffix hashes",
		Long: `Show hashes.pkl and hashes.invalid of a partition's directory, like
/srv/node/sdb/objects/1234, and what the next look would hash afresh.

Exit codes: 0 shown, also if a file is missing or garbage; 1 the directory cannot
be listed, 2 bad command line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := inspect.ReadCacheIn(cmd.Context(), lookTimeout, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), c)
			}
			return printCache(cmd.OutOrStdout(), c)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// lookTimeout is how long a disk may take to list a directory and read small files.
const lookTimeout = time.Minute

var errNothingThere = errors.New("no device of this node has it")
