package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// readServing reads what a replicator that serves peers needs of the server's
// section. What both sections say, the replicator's says for the process.
func (l *loader) readServing(path string, o Options) {
	o.Section, o.within = ServerSection, l.c
	r := Inspect(path, o)
	for _, problem := range r.Problems {
		known := func(err error) bool { return err.Error() == problem.Error() }
		if !slices.ContainsFunc(l.problems, known) { // swift.conf was read twice
			l.problem(problem)
		}
	}
	for _, warning := range r.Config.Warnings {
		if !slices.Contains(l.c.Warnings, warning) {
			l.warn("%s", warning)
		}
	}
	l.c.Serving = r.Config
}

// listening checks the address of a server.
//
// Unlike Swift: servers_per_port is refused. It is a remedy for disks that hang a
// whole process, which they do not do here: each has its own share of the places.
func (l *loader) listening() {
	c := l.c
	if r := l.within; r != nil {
		c.Devices, c.MountCheck, c.SwiftDir, c.DiskFile.ReclaimAge = r.Devices, r.MountCheck, r.SwiftDir, r.DiskFile.ReclaimAge
		c.BindIP, c.RingIP, c.BindPort, c.ServersPerPort = r.BindIP, r.RingIP, r.BindPort, r.ServersPerPort
		c.User, c.Log, c.Statsd, c.Priority = r.User, r.Log, r.Statsd, r.Priority
	}
	port := l.value("bind_port")
	switch {
	case c.ServersPerPort != 0:
		v := l.value("servers_per_port")
		l.problem(&ValueError{
			Option: "servers_per_port", Value: v.Text, Origin: v.Origin,
			Text: "not supported by a server: it listens on one port; give each port a configuration and a process of its own",
		})
	case l.within == nil && port.Origin.File == "":
		// Swift: common/wsgi.py run_wsgi
		//lint:ignore ST1005 Swift's words
		l.problem(errors.New("bind_port wasn't properly set in the config file. It must be explicitly set to a valid port number."))
	case c.Server.PassTo != "" && listensAt(c.BindIP, c.BindPort, c.Server.PassTo):
		v := l.value("pass_to")
		l.problem(&ValueError{
			Option: "pass_to", Value: v.Text, Origin: v.Origin,
			Text: fmt.Sprintf("%s is where this server listens itself", c.Server.PassTo),
		})
	}
}

// listensAt tells whether who binds to an address and a port is reached at another
// address. Of a wildcard only the loopback is known here.
func listensAt(bindIP string, port int, address string) bool {
	to, err := netip.ParseAddrPort(address)
	if err != nil || int(to.Port()) != port {
		return false
	}
	own, err := netip.ParseAddr(bindIP)
	if err != nil {
		return false
	}
	return own.Unmap() == to.Addr().Unmap() || own.IsUnspecified() && to.Addr().IsLoopback()
}

// readFilters reads the filters whose work a server does itself. One that is not in
// the file goes by [DEFAULT].
func (l *loader) readFilters(d *document) {
	app := l.s
	defer func() { l.s = app }()
	for _, filter := range []struct {
		section string
		scope   Scope
	}{{"filter:recon", ReconFilter}, {"filter:healthcheck", HealthFilter}} {
		s, err := d.filterSection(filter.section)
		if err != nil {
			l.problem(err)
			continue
		}
		l.s = s
		l.options(filter.scope)
	}
}
