package main

import (
	"context"
	"slices"

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
	warn(d.log, cfg.Warnings)
	if late := needRestart(d.started, cfg); len(late) > 0 {
		d.log.Warn().Strs("options", late).Msg("only a restart changes these options")
	}
	d.log.Info().Msg("configuration reloaded")
}

// atStart are the options that are used while the process starts.
var atStart = []string{
	"user", "daemonize", "nice_priority", "ionice_class", "ionice_priority",
	"log_name", "log_format", "log_level", "log_facility", "log_address", "log_udp_host", "log_udp_port", "log_max_line_length",
}

// needRestart names the options that differ and that only a restart can change, in
// the order of the documentation.
func needRestart(started, read *config.Config) []string {
	before := map[string]string{}
	for _, v := range started.Values() {
		before[v.Option.Name] = v.Text
	}
	var late []string
	for _, v := range read.Values() {
		if slices.Contains(atStart, v.Option.Name) && before[v.Option.Name] != v.Text {
			late = append(late, v.Option.Name)
		}
	}
	return late
}
