package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"understudy/config"
)

func newConfigReference() *cobra.Command {
	format := "text"
	cmd := &cobra.Command{
		Use:   "reference",
		Short: "Show every option: default, meaning, what this version makes of it",
		Long: `Show every option of object-server.conf and swift.conf that this version knows:
its section, type and default, what it means, and whether it is as in Swift.

Exit codes: 0 shown, 2 bad command line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var page []byte
			switch format {
			case "text":
				page = referenceText()
			case "markdown":
				page = config.Markdown()
			case "man":
				page = referenceMan()
			default:
				return usageError{fmt.Errorf("--format %s is not text, man or markdown", format)}
			}
			_, err := cmd.OutOrStdout().Write(page)
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "text, man or markdown")
	return cmd
}

// sectionsOf names the sections where an option is looked for.
func sectionsOf(o *config.Option) string {
	var names []string
	for _, s := range []struct {
		scope config.Scope
		name  string
	}{
		{config.Replicator, "[object-replicator]"},
		{config.ObjServer, "[app:object-server]"},
		{config.SwiftHash, "[swift-hash] of swift.conf"},
		{config.SwiftLimits, "[swift-constraints] of swift.conf"},
		{config.SwiftPolicy, "[storage-policy:N] of swift.conf"},
		{config.ReconFilter, "[filter:recon]"},
		{config.HealthFilter, "[filter:healthcheck]"},
	} {
		if o.Scope&s.scope != 0 {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, ", ")
}

func defaultOf(o *config.Option) string {
	if o.Default == "" {
		return o.Unset
	}
	return o.Default
}

// plain takes the marks of markdown out of a meaning.
func plain(meaning string) string { return strings.NewReplacer("`", "", "**", "").Replace(meaning) }

func referenceText() []byte {
	var s sheet
	group := ""
	for _, o := range config.Table() {
		if o.Group != group {
			if group != "" {
				s.line("")
			}
			group = o.Group
			s.line("%s", strings.ToUpper(group))
		}
		s.line("")
		s.line("%s (%s; default %s; %s)", o.Name, o.Kind, defaultOf(o), o.Effect)
		s.line("    %s", sectionsOf(o))
		s.line("    %s", plain(o.Meaning))
	}
	return []byte(s.b.String())
}

// manHead begins a manual page of section 5 or 1.
func manHead(w io.Writer, name string, section int, what string) {
	fmt.Fprintf(w, ".TH %s %d \"\" \"Understudy\" \"Understudy Manual\"\n.SH NAME\n%s \\- %s\n",
		roff(strings.ToUpper(name)), section, roff(name), roff(what))
}

func referenceMan() []byte {
	var b bytes.Buffer
	manHead(&b, "understudy-config", 5, "options of object-server.conf and swift.conf that Understudy reads")
	b.WriteString(".SH DESCRIPTION\n" + roff("Understudy reads Swift's own files. A key of [DEFAULT] counts for every section "+
		"that does not set it. \"understudy config check CONF\" tells whether a configuration would start, "+
		"\"understudy config show CONF\" every value and where it comes from.") + "\n")
	group := ""
	for _, o := range config.Table() {
		if o.Group != group {
			group = o.Group
			fmt.Fprintf(&b, ".SH %s\n", roff(strings.ToUpper(group)))
		}
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR (%s, default %s)\n%s\n.br\n%s; %s.\n", roff(o.Name), roff(o.Kind.String()), roff(defaultOf(o)),
			roff(plain(o.Meaning)), roff(sectionsOf(o)), roff(o.Effect.String()))
	}
	b.WriteString(".SH SEE ALSO\nunderstudy(1), swift\\-object\\-replicator(1)\n")
	return b.Bytes()
}

// roff writes text so that a formatter takes none of it for a request.
func roff(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case i == 0 && r == '.':
			b.WriteString(`\&.`)
		case roffNames[r] != "":
			b.WriteString(roffNames[r])
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// roffNames are the characters that mean something else to a formatter.
var roffNames = map[rune]string{'\\': `\e`, '-': `\-`, '\n': " ", '\'': `\(aq`, '`': `\(ga`, '^': `\(ha`, '~': `\(ti`}
