package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"understudy/internal/inspect"
	"understudy/internal/observe/status"
	"understudy/internal/progress"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

// dryRun is one run of the command.
type dryRun struct {
	localNode
	devices    []string
	policies   []string
	partitions []string
	limit      int
	offline    bool
	engine     bool
	asJSON     bool
}

func newDryRun() *cobra.Command {
	d := &dryRun{}
	cmd := &cobra.Command{
		Use:   "dry-run",
		Short: "Tell what a pass would push and remove, without doing it",
		Long: `Go through the partitions of this node's disks as a pass does, ask the peers what
they have, and tell for each disk what would be pushed to whom and which handoffs
would be brought away. Nothing is changed on this node; see explain for what
asking does on peers. All disks are read at the same time, each by one reader.

Handoffs are counted, not compared: a pass pushes them without asking. A node that
leaves three questions in a row without an answer is not asked any more.

Exit codes: 0 told, also if disks or peers do not answer; 1 it could not be done,
2 bad command line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.limit < 0 {
				return usageError{errors.New("--limit is less than 0")}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			err := d.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			return err
		},
	}
	configFileFlags(cmd, &d.localNode)
	f := cmd.Flags()
	f.StringSliceVar(&d.devices, "device", nil, "only these devices, with commas between them")
	f.StringSliceVar(&d.policies, "policy", nil, "only these policies, by index or name")
	f.StringSliceVar(&d.partitions, "partitions", nil, "only these partitions: `N,N-M`")
	f.IntVar(&d.limit, "limit", 0, "look at no more than `N` partitions of each device")
	f.BoolVar(&d.offline, "offline", false, "ask no peer: only handoffs are told")
	f.BoolVar(&d.engine, "engine", false, "let the running engine look, as it is: with its user, its configuration and\nwhat it knows of silent peers; without --limit at 100 partitions of each device")
	f.BoolVar(&d.asJSON, "json", false, "print JSON")
	return cmd
}

func (d *dryRun) run(ctx context.Context, out, errOut io.Writer) error {
	wanted, err := parseRanges(d.partitions)
	if err != nil {
		return usageError{err}
	}
	if d.engine {
		return d.ask(ctx, out, wanted)
	}
	if err := d.load(); err != nil {
		return err
	}
	rings, err := d.rings(ctx)
	if err != nil {
		return err
	}
	line := progress.New(progress.Options{Out: errOut, Unit: "partitions"})
	run := &inspect.DryRun{
		Explainer: &inspect.Explainer{
			Store: d.disks(), Timeout: lookTimeout, CheckRemote: d.cfg.SyncMethod == "ssync", HandoffDelete: handoffDelete(d.cfg, rings),
			HandoffSettle: d.cfg.HandoffSettle,
		},
		Rings: rings, Devices: d.devices, Limit: d.limit, Done: line.Add,
	}
	if len(wanted) > 0 {
		run.Wanted = func(_ int, part uint32) bool { return wanted.has(part) }
	}
	if !d.offline {
		client := replicate.New(replicate.Config{ConnTimeout: d.cfg.ConnTimeout, HTTPTimeout: d.cfg.HTTPTimeout, UserAgent: "understudy dry-run"})
		defer client.Close()
		run.Ask = inspect.Patient(client.Hashes)
	}
	pass, err := run.Run(ctx)
	line.End()
	if err != nil {
		return err
	}
	for _, name := range d.devices {
		if !slices.ContainsFunc(pass.Devices, func(p inspect.PassDevice) bool { return p.Device == name }) {
			return fmt.Errorf("%s is no device of this node in its rings", name)
		}
	}
	return d.print(out, pass)
}

// ask lets the running engine do it, which does it for one device or all.
func (d *dryRun) ask(ctx context.Context, out io.Writer, wanted ranges) error {
	if d.offline || len(d.devices) > 1 || len(d.policies) > 1 {
		return usageError{errors.New("--engine takes one --device and one --policy at most, and no --offline")}
	}
	question := status.DryRun{Limit: d.limit}
	for _, name := range d.devices {
		question.Device = name
	}
	for _, name := range d.policies {
		index, err := strconv.Atoi(name)
		if err != nil {
			return usageError{fmt.Errorf("--engine takes a policy by its index, not %q", name)}
		}
		question.Policy = &index
	}
	for _, r := range wanted {
		for part := uint64(r[0]); part <= uint64(r[1]); part++ {
			if len(question.Partitions) == mostAsked {
				return usageError{fmt.Errorf("--engine takes %d --partitions at most", mostAsked)}
			}
			question.Partitions = append(question.Partitions, uint32(part))
		}
	}
	client, err := (&operated{config: d.confPath}).client()
	if err != nil {
		return err
	}
	pass := &inspect.Pass{}
	if err := client.DryRun(ctx, question, pass); err != nil {
		return err
	}
	return d.print(out, pass)
}

// mostAsked is how many partitions the engine takes in one question.
const mostAsked = 1000

func (d *dryRun) print(out io.Writer, pass *inspect.Pass) error {
	if d.asJSON {
		return printJSON(out, pass)
	}
	return printPass(out, pass)
}

// rings are those of the policies that a pass goes through and that are asked for.
func (d *dryRun) rings(ctx context.Context) ([]messages.PolicyRing, error) {
	ours, _ := d.cfg.Swift.Policies.Replicated()
	if len(d.policies) > 0 {
		ours = nil
		for _, name := range d.policies {
			d.policy = name
			p, err := d.chosen()
			if err == nil {
				err = p.Supported()
			}
			if err != nil {
				return nil, err
			}
			ours = append(ours, p)
		}
	}
	var out []messages.PolicyRing
	for _, p := range ours {
		r := messages.PolicyRing{Policy: messages.Policy{Index: p.Index, Name: p.Name}}
		if r.Ring, r.Err = d.ring(ctx, p); r.Err != nil {
			r.Ring = nil
		}
		out = append(out, r)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(out) > 0 && !slices.ContainsFunc(out, func(r messages.PolicyRing) bool { return r.Ring != nil }) {
		return nil, out[0].Err
	}
	return out, nil
}

// ranges are partitions: pairs of the first and the last one.
type ranges [][2]uint32

func (r ranges) has(part uint32) bool {
	return slices.ContainsFunc(r, func(one [2]uint32) bool { return one[0] <= part && part <= one[1] })
}

func parseRanges(words []string) (ranges, error) {
	var out ranges
	for _, word := range words {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 32)
		b, errB := strconv.ParseUint(last, 10, 32)
		if errA != nil || errB != nil || a > b {
			return nil, fmt.Errorf("--partitions: %q is neither N nor N-M", word)
		}
		out = append(out, [2]uint32{uint32(a), uint32(b)})
	}
	return out, nil
}

func printPass(out io.Writer, p *inspect.Pass) error {
	var s sheet
	for _, why := range p.Left {
		s.line("left alone: %s", why)
	}
	for i := range p.Devices {
		d := &p.Devices[i]
		if i > 0 || len(p.Left) > 0 {
			s.line("")
		}
		s.line("%s: %s: %d in sync, %d to push, %s with %s", d.Device, plural(d.Partitions, "partition"), d.InSync, d.Updates,
			plural(d.Handoffs, "handoff"), plural(d.Objects, "object"))
		if d.Failed > 0 || d.LeftAlone > 0 {
			s.line("  %d would fail, %d outside the ring and left alone", d.Failed, d.LeftAlone)
		}
		if d.Limited {
			s.line("  there are more: --limit is reached")
		}
		for _, e := range d.Errors {
			s.line("  %s", e)
		}
		for _, peer := range d.Peers {
			if peer.Pushes+peer.Handoffs+peer.Unanswered > 0 {
				s.line("  %-24s %s", peer.Address+"/"+peer.Device, peerSums(&peer))
			}
		}
	}
	if len(p.Devices) == 0 {
		s.line("No device of this node is in the rings.")
	}
	return s.flush(out)
}

func peerSums(p *inspect.PassPeer) string {
	var words []string
	if p.Pushes > 0 {
		words = append(words, fmt.Sprintf("push %s of %s", plural(p.Suffixes, "suffix"), plural(p.Pushes, "partition")))
	}
	if p.Handoffs > 0 {
		words = append(words, "offer "+plural(p.Handoffs, "handoff"))
	}
	if p.Unanswered > 0 {
		words = append(words, plural(p.Unanswered, "question")+" without answer")
	}
	return strings.Join(words, ", ")
}
