package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"understudy/internal/observe/status"
)

func newPause() *cobra.Command {
	var o *operated
	var length span
	cmd := &cobra.Command{
		Use:   "pause node | device NAME | policy POLICY | peer ADDRESS",
		Short: "Hold back the node, a disk, a policy or a peer",
		Long: `Hold something back: no new job begins, those in flight end. A paused policy is
left out of passes; a paused peer, an ip, ip:port or ip:port/device, is not asked.
It lasts until "understudy resume", or for the time of --for.

Exit codes: 0 done, 1 it could not be, 2 bad command line.`,
		Example: "  understudy pause device sdb --for 30m\n  understudy pause peer 10.0.0.3:6200 --for 2d",
		Args:    scopeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			scope, name := scopeOf(args)
			return o.do(cmd, status.PauseCommand{Scope: scope, Name: name, For: time.Duration(length)})
		},
	}
	o = operate(cmd)
	cmd.Flags().Var(&length, "for", "resume by itself after this `TIME`, as 90s, 30m, 12h or 2d")
	return cmd
}

// scopeArgs checks the words that say what a pause is about.
func scopeArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("what? node, device NAME, policy POLICY or peer ADDRESS")
	}
	switch scope := status.Scope(args[0]); scope {
	case status.ScopeNode:
		if len(args) > 1 {
			return fmt.Errorf("node has no name: %q is too much", args[1])
		}
	case status.ScopeDevice, status.ScopePolicy, status.ScopePeer:
		if len(args) != 2 || args[1] == "" {
			return fmt.Errorf("%s needs one name", scope)
		}
	default:
		return fmt.Errorf("%q is not node, device, policy or peer", args[0])
	}
	return nil
}

func scopeOf(args []string) (status.Scope, string) {
	return status.Scope(args[0]), oneDevice(args[1:])
}

// span is a length of time as a flag: Go's durations, and days.
type span time.Duration

func (s *span) String() string { return "" }
func (s *span) Type() string   { return "TIME" }

func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(n * 24 * float64(time.Hour))
	}
	if err != nil || d <= 0 || d > 366*24*time.Hour {
		return fmt.Errorf("must be a time up to a year, as 90s, 30m, 12h or 2d")
	}
	*s = span(d)
	return nil
}
