package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"understudy/config"
)

func newConfigShow() *cobra.Command {
	var o config.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show CONF",
		Short: "Show every setting and where it comes from",
		Long: `Show every effective setting of the replicator, or of the server, and where it
comes from: a line of a file with its section, or "default". The hash prefix and
suffix of swift.conf are secrets: only their length is shown.

Exit codes: 0 shown, 1 the configuration cannot be used, 2 bad command line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.Load(args[0], o)
			if err != nil {
				return err
			}
			shown := newShownConfig(c)
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				e.SetEscapeHTML(false)
				return e.Encode(shown)
			}
			return shown.print(cmd.OutOrStdout())
		},
	}
	configFlags(cmd, &o)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// shownConfig is the output of config show.
type shownConfig struct {
	Path      string        `json:"path"`
	Section   string        `json:"section"`
	SwiftConf string        `json:"swift_conf"`
	Options   []shownOption `json:"options"`
	Policies  []shownPolicy `json:"policies"`
	Warnings  []string      `json:"warnings"`
}

type shownOption struct {
	Name   string         `json:"name"`
	Value  string         `json:"value"`
	Effect string         `json:"effect"`
	Origin *config.Origin `json:"origin"` // null is the default
}

type shownPolicy struct {
	Index      int      `json:"index"`
	Name       string   `json:"name"`
	Aliases    []string `json:"aliases,omitempty"`
	Type       string   `json:"type"`
	Default    bool     `json:"default,omitempty"`
	Deprecated bool     `json:"deprecated,omitempty"`
	Refused    string   `json:"refused,omitempty"` // why it is not replicated
}

func newShownConfig(c *config.Config) shownConfig {
	s := shownConfig{Path: c.Path, Section: c.Section, SwiftConf: c.Swift.Path, Warnings: append([]string{}, c.Warnings...)}
	for _, v := range c.Values() {
		o := shownOption{Name: v.Option.Name, Value: v.Text, Effect: v.Option.Effect.String()}
		if v.Origin.File != "" {
			o.Origin = &v.Origin
		}
		s.Options = append(s.Options, o)
	}
	for p := range c.Swift.Policies.All() {
		shown := shownPolicy{Index: p.Index, Name: p.Name, Aliases: p.Aliases, Type: p.Type, Default: p.Default, Deprecated: p.Deprecated}
		if err := p.Supported(); err != nil {
			shown.Refused = err.Error()
		}
		s.Policies = append(s.Policies, shown)
	}
	return s
}

func (s shownConfig) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range s.Options {
		origin := "default"
		if o.Origin != nil {
			origin = o.Origin.String()
		}
		// a value of several lines stays on its row
		fmt.Fprintf(t, "%s\t= %s\t%s\n", o.Name, strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(o.Value), origin)
	}
	for _, p := range s.Policies {
		fmt.Fprintf(t, "policy %d\t= %s\t%s\n", p.Index, strings.Join(append([]string{p.Name}, p.Aliases...), ", "), p.note())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, warning := range s.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	return nil
}

func (p shownPolicy) note() string {
	words := []string{p.Type}
	if p.Default {
		words = append(words, "default")
	}
	if p.Deprecated {
		words = append(words, "deprecated")
	}
	if p.Refused != "" {
		words = append(words, "not replicated")
	}
	return strings.Join(words, ", ")
}
