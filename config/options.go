package config

import "fmt"

// Kind is how the text of an option is read.
type Kind int

const (
	Text         Kind = iota // as it is
	Path                     // as it is; a file or directory
	Bool                     // true, 1, yes, on, t, y in any case; everything else is false
	Int                      // Python's int()
	Seconds                  // Python's float(), seconds
	WholeSeconds             // Python's int(), seconds
	Number                   // Python's float()
	AutoInt                  // Python's int(), or "auto" for 0
	Reserve                  // bytes, or a percentage ending in %
	List                     // separated by commas
	Level                    // name of a log level
	Facility                 // name of a syslog facility
	Raw                      // bytes, kept secret
)

func (k Kind) String() string {
	names := [...]string{
		"text", "path", "bool", "int", "seconds", "whole seconds", "number", "int or auto",
		"bytes or N%", "list", "log level", "syslog facility", "bytes",
	}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

// Effect is what this version makes of an option.
type Effect int

const (
	AsSwift     Effect = iota // the same as in Swift
	NoEffect                  // read by Swift's replicator too, and without effect there too
	Unsupported               // never; start-up warns when it is set
	Differs                   // honoured, in another way than Swift: the meaning says how
	Own                       // Swift does not know it
)

func (e Effect) String() string {
	names := [...]string{"as in Swift", "accepted, no effect (as in Swift)", "not supported", "differs", "Understudy's own"}
	if e < 0 || int(e) >= len(names) {
		return fmt.Sprintf("Effect(%d)", int(e))
	}
	return names[e]
}

// Scope is the daemon, or the file, that an option belongs to.
type Scope int

const (
	Replicator   Scope = 1 << iota // [object-replicator] over [DEFAULT]
	ObjServer                      // [app:object-server] under [DEFAULT]
	SwiftHash                      // [swift-hash] of swift.conf
	SwiftLimits                    // [swift-constraints] of swift.conf, read for ObjServer only
	SwiftPolicy                    // [storage-policy:N] of swift.conf
	ReconFilter                    // [filter:recon] under [DEFAULT], read for ObjServer only
	HealthFilter                   // [filter:healthcheck] likewise
	Both         = Replicator | ObjServer
)

// Option is one row of the table that everything is driven by: the loader,
// "understudy config check" and "show", and docs/config.md.
type Option struct {
	Name    string
	Group   string // heading in the documentation
	Scope   Scope
	Kind    Kind
	Default string // as an operator would write it
	Unset   string // documentation of the default when it is not a value
	Effect  Effect
	Meaning string

	emptyIsDefault bool                        // Swift reads it as conf.get(name) or default
	field          func(*Config) any           // where the value goes; nil when a rule or nobody reads it
	when           func(*Config) bool          // read only if; nil is always
	valid          func(float64) (rule string) // numbers: what is wrong, or empty
	words          []string                    // Text: the only values, or nil
	form           func(text string) error     // Text: what is wrong with it, or nil
	foreign        func(text string) bool      // a value that is meant for somebody else
}

// Value is the effective value of an option.
type Value struct {
	Option  *Option
	Text    string // as show prints it
	Origin  Origin
	changed bool // another value than the default
}

// Table is all options, grouped, in the order of the documentation.
func Table() []*Option {
	var out []*Option
	for _, rows := range [][]Option{
		nodeOptions, passOptions, transferOptions, controlOptions, logOptions, statsdOptions, diskFileOptions, listenOptions, serverOptions, filterOptions, swiftConfOptions,
	} {
		for i := range rows {
			out = append(out, &rows[i])
		}
	}
	return out
}

// Rules for numbers.

func atLeast(low float64) func(float64) string {
	return func(v float64) string {
		if v >= low {
			return ""
		}
		return fmt.Sprintf("must be at least %v", low)
	}
}

func noneOrAtLeast(low float64) func(float64) string {
	return func(v float64) string {
		if v == 0 || v >= low {
			return ""
		}
		return fmt.Sprintf("must be 0 or at least %v", low)
	}
}

func above(low float64) func(float64) string {
	return func(v float64) string {
		if v > low {
			return ""
		}
		return fmt.Sprintf("must be more than %v", low)
	}
}

func between(low, high float64) func(float64) string {
	return func(v float64) string {
		if v >= low && v <= high {
			return ""
		}
		return fmt.Sprintf("must be from %v to %v", low, high)
	}
}
