package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"understudy/config"
	"understudy/internal/inspect"
	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/policy"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

// explain is one run of the command.
type explain struct {
	localNode
	object  string
	offline bool
	asJSON  bool
}

func newExplain() *cobra.Command {
	x := &explain{}
	cmd := &cobra.Command{
		Use:   "explain PARTITION | --object /ACCOUNT/CONTAINER/OBJECT",
		Short: "Explain what a job of a partition would do now, and why",
		Long: `Explain what the replicator would do now for one partition on this node, and why:
who its primaries are, what each local disk holds, what each peer has, and which
suffixes would be pushed to whom or, of a handoff, what would be removed and when.

It reads rings and disks itself and changes nothing on them: no lock is taken, no
hash is cached, nothing is cleaned up. No engine need run. Peers are asked for
their suffix hashes by REPLICATE, as the replicator asks them, with the timeouts
of the configuration, and do what they do then: their server brings its own cache
up to date. Devices of this node are read and not asked; --offline asks nobody.

Exit codes: 0 explained, also if a disk or peer does not answer; 1 it could not be
(no such policy, no ring), 2 bad command line.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (x.object != "") {
				return usageError{errors.New("name a partition, or an object with --object")}
			}
			return x.run(cmd.Context(), cmd.OutOrStdout(), args)
		},
	}
	localFlags(cmd, &x.localNode)
	cmd.Flags().StringVar(&x.object, "object", "", "the partition of this object, `/ACCOUNT/CONTAINER/OBJECT`")
	cmd.Flags().BoolVar(&x.offline, "offline", false, "ask no peer")
	cmd.Flags().BoolVar(&x.asJSON, "json", false, "print JSON")
	return cmd
}

func (x *explain) run(ctx context.Context, out io.Writer, args []string) error {
	part, name, err := x.target(args)
	if err != nil {
		return usageError{err}
	}
	if err := x.load(); err != nil {
		return err
	}
	p, err := x.chosen()
	if err != nil {
		return err
	}
	ring, err := x.ring(ctx, p)
	if err != nil {
		return err
	}
	hash := ""
	if x.object != "" {
		sum := x.hasher().Hash(name.Account, name.Container, name.Object)
		part = hashpath.Partition(sum, uint(33-bits.Len32(ring.Partitions())))
		hash = fmt.Sprintf("%x", sum)
	}
	explained, err := x.explained(ctx, p, ring, part)
	if err != nil {
		return err
	}
	explained.Object, explained.Hash = x.object, hash
	if x.asJSON {
		return printJSON(out, explained)
	}
	return printExplanation(out, explained)
}

func (x *explain) target(args []string) (part uint32, name store.ObjectName, err error) {
	if x.object != "" {
		name, ok := store.ParseObjectName(x.object)
		if !ok {
			return 0, name, fmt.Errorf("%q is not /ACCOUNT/CONTAINER/OBJECT", x.object)
		}
		return 0, name, nil
	}
	n, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return 0, name, fmt.Errorf("%q is not the number of a partition", args[0])
	}
	return uint32(n), name, nil
}

// explained asks what there is to ask. A policy that is not replicated has its ring
// told, and nothing else.
func (x *explain) explained(ctx context.Context, p policy.Policy, ring messages.Ring, part uint32) (*inspect.Explanation, error) {
	e := &inspect.Explainer{
		Store: x.disks(), Timeout: lookTimeout,
		HandoffDelete: handoffDelete(x.cfg, []messages.PolicyRing{{Ring: ring}}), HandoffSettle: x.cfg.HandoffSettle, CheckRemote: x.cfg.SyncMethod == "ssync",
	}
	if !x.offline {
		client := replicate.New(replicate.Config{ConnTimeout: x.cfg.ConnTimeout, HTTPTimeout: x.cfg.HTTPTimeout, UserAgent: "understudy explain"})
		defer client.Close()
		e.Ask = client.Hashes
	}
	if err := p.Supported(); err != nil {
		e.Never = err.Error()
	}
	return e.Explain(ctx, messages.Policy{Index: p.Index, Name: p.Name}, ring, part)
}

// handoffDelete is the option of that name, or 0 where it asks for no less than all
// of any policy's replicas. Swift: obj/replicator.py ObjectReplicator.__init__.
func handoffDelete(cfg *config.Config, rings []messages.PolicyRing) int {
	for _, r := range rings {
		if r.Ring != nil && float64(cfg.HandoffDelete) < r.Ring.Replicas() {
			return cfg.HandoffDelete
		}
	}
	return 0
}

func printJSON(out io.Writer, value any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(out, harmless(text.String()))
	return err
}

// harmless writes what a terminal could take for a command as JSON escapes: names come
// from disks, and encoding/json escapes the controls of ASCII only.
func harmless(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == 0x7f || r >= 0x80 && r < 0xa0 || unicode.In(r, unicode.Cf) {
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, "\\u%04x", unit)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
