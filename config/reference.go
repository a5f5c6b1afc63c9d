package config

import (
	"bytes"
	"fmt"
	"strings"
)

// Markdown is docs/config.md: how the files are read, and every option.
func Markdown() []byte {
	var b bytes.Buffer
	b.WriteString(intro)
	group := ""
	for _, o := range Table() {
		if o.Group != group {
			group = o.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
			if o.Scope&(SwiftHash|SwiftPolicy|SwiftLimits) == 0 {
				b.WriteString("\n" + tableHead)
			}
		}
		if heading := swiftHeading(o); heading != "" {
			fmt.Fprintf(&b, "\n### %s\n\n%s", heading, tableHead)
		}
		def := "`" + o.Default + "`"
		if o.Default == "" {
			def = "*" + o.Unset + "*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", o.Name, o.Kind, def, o.Effect, strings.ReplaceAll(o.Meaning, "|", "\\|"))
	}
	b.WriteString("\n## Keys of other daemons\n\nThese keys of `[DEFAULT]` belong to other daemons of the file and are not reported as unknown: ")
	fmt.Fprintf(&b, "`%s`.\n", strings.Join(foreignDefaults, "`, `"))
	return b.Bytes()
}

// swiftHeading is the heading in front of the first option of a section of swift.conf.
func swiftHeading(o *Option) string {
	switch o.Name {
	case "swift_hash_path_prefix":
		return "[swift-hash]"
	case "name":
		return "[storage-policy:N]"
	case "ec_type":
		return "[storage-policy:N] of type erasure_coding"
	case "max_file_size":
		return "[swift-constraints]"
	}
	return ""
}

const tableHead = "| option | type | default | in this version | meaning |\n|---|---|---|---|---|\n"

const intro = `# Configuration

<!-- Made from the table in config/ by: go test ./config -run TestDocs -update -->

Understudy reads Swift's own files: the ` + "`[object-replicator]`" + ` section of ` + "`object-server.conf`" + ` over its ` + "`[DEFAULT]`" + `, and
` + "`/etc/swift/swift.conf`" + `; the receiving side reads ` + "`[app:object-server]`" + ` as PasteDeploy does. In place of a file a folder can be given: its ` + "`*.conf`" + ` files are read in alphabetical order, and later ones win.

    understudy config check /etc/swift/object-server.conf    # would it start? which keys does nobody read?
    understudy config show /etc/swift/object-server.conf     # every value, and the line that it comes from
    understudy config show --server /etc/swift/object-server.conf    # the same for "understudy serve"

Exit codes of both: 0 the replicator (with ` + "`--server`" + ` the server) would start, 1 it would not (the reasons are on stderr), 2 bad command line.
` + "`--swift-conf PATH`" + ` reads another swift.conf; ` + "`config show --json`" + ` is for programs.

## The dialect

The files are read as Swift reads them:

- A key ends at the first ` + "`=`" + ` or ` + "`:`" + `. Lines that begin with ` + "`#`" + ` or ` + "`;`" + ` are comments; what follows a value on its line never is.
- A line that is indented deeper than its key continues the value.
- The same key or section twice in one file is an error. ` + "`[DEFAULT]`" + ` may appear again.
- ` + "`%(name)s`" + ` stands for another value of the section or of ` + "`[DEFAULT]`" + `. Only in a value that holds such a reference is ` + "`%%`" + ` a percent sign, and
  another ` + "`%`" + ` an error; in swift.conf that goes for every value.
- Keys are case-sensitive, as in Swift since 2.31. A key that matches an option in lower case only is used with a warning.
- Booleans: ` + "`true`, `1`, `yes`, `on`, `t`, `y`" + ` in any case are true, and everything else is false.
- Numbers are Python's: ` + "`1_000`" + ` and ` + "`+5`" + ` are fine. Times are never negative.
- ` + "`set key = value`" + ` belongs to ` + "`[app:...]`" + ` sections and does nothing in ` + "`[object-replicator]`" + `.

"In this version" says what an option does here: **as in Swift**; **accepted, no effect (as in Swift)** for what Swift's replicator, or its
server's REPLICATE and SSYNC, read without using it either, at least not with rsync; **not supported**, for good: start-up warns when it is set to
another value than the default; **differs** for what is honoured in another way; **Understudy's own**.
`
