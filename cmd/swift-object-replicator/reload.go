package main

import (
	"context"
	"slices"
	"strings"

	"understudy/bootstrap"
	"understudy/config"
)

// reloadWhenAsked serves SIGHUP, beside the main thread: a configuration on a disk
// that hangs must not keep the daemon from being stopped.
//
// Unlike Swift: whose daemon is killed by SIGHUP.
func (d *daemon) reloadWhenAsked(ctx context.Context, asked <-chan struct{}) {
	select {
	case <-d.stands: // there is nobody before who could take a configuration
	case <-ctx.Done():
		return
	}
	for {
		select {
		case <-asked:
			d.tell("reloading", d.manager.Reloading)
			d.reload()
			d.tell("ready", d.manager.Ready)
		case <-ctx.Done():
			return
		}
	}
}

// reload reads the configuration again, as the user that the daemon runs as, and
// hands it to the engine. After an error the old one stays in force.
func (d *daemon) reload() {
	cfg, err := d.load()
	if err == nil {
		err = d.engine.Reload(cfg)
	}
	if err != nil {
		d.log.Error().Err(err).Msg("configuration not reloaded: the old one stays in force")
		return
	}
	bootstrap.Warn(d.log, cfg)
	if late := needRestart(d.started, cfg); len(late) > 0 {
		d.log.Warn().Strs("options", late).Msg("only a restart changes these options")
	}
	d.log.Info().Msg("configuration reloaded")
}

// atStart are the options that are used while the process starts.
var atStart = []string{
	"user", "daemonize", "nice_priority", "ionice_class", "ionice_priority",
	"serve_peers", "control_socket", "control_socket_mode", "status_listen", "faults_allowed", "log_name", "log_format", "log_level", "log_facility", "log_address", "log_udp_host", "log_udp_port", "log_max_line_length",
}

// whileServing are further such options of a process that serves peers.
var whileServing = []string{"devices", "mount_check", "swift_dir", "bind_ip", "bind_port", "reclaim_age"}

// needRestart names the options that differ and that only a restart can change, in
// the order of the documentation; the server's own come last.
func needRestart(started, read *config.Config) []string {
	fixed := func(name string) bool {
		return slices.Contains(atStart, name) || started.Serving != nil && slices.Contains(whileServing, name)
	}
	late := differing(started, read, fixed)
	if started.Serving != nil && read.Serving != nil {
		own := func(name string) bool { return !fixed(name) && !strings.Contains(name, "statsd_") } // a server has no statistics
		for _, name := range differing(started.Serving, read.Serving, own) {
			late = append(late, config.ServerSection+" "+name)
		}
	}
	return late
}

func differing(started, read *config.Config, counts func(name string) bool) (names []string) {
	before := map[string]string{}
	for _, v := range started.Values() {
		before[v.Option.Name] = v.Text
	}
	for _, v := range read.Values() {
		if counts(v.Option.Name) && before[v.Option.Name] != v.Text {
			names = append(names, v.Option.Name)
		}
	}
	return names
}
