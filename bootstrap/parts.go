package bootstrap

import (
	"context"

	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/observe/statsd"
	"understudy/internal/store"
	"understudy/internal/swift/hashpath"
	"understudy/internal/transport/replicate"
	"understudy/internal/transport/rsync"
	"understudy/internal/transport/ssync"
	"understudy/messages"
)

func newStore(cfg *config.Config, log zerolog.Logger) *store.Store {
	return store.New(store.Options{
		Root: cfg.Devices, MountCheck: cfg.MountCheck, ReclaimAge: cfg.DiskFile.ReclaimAge, Log: log,
	})
}

var _ actors.Store = localDisks{}

// localDisks are a store as the actors know it.
type localDisks struct{ *store.Store }

// Hold implements actors.Store.
func (d localDisks) Hold(ctx context.Context, p messages.Partition) (actors.Hold, error) {
	hold, err := d.Store.Hold(ctx, p)
	if err != nil {
		return nil, err // not a nil *store.Handoff in an interface
	}
	return hold, nil
}

// transport is what sync_method names.
func (e *Engine) transport(cfg *config.Config, disks *store.Store, peers *replicate.Client) (actors.Transport, error) {
	if cfg.SyncMethod == "ssync" {
		paths := hashpath.Hasher{Prefix: cfg.Swift.HashPrefix, Suffix: cfg.Swift.HashSuffix}
		return ssync.New(ssync.Config{
			ConnTimeout: cfg.ConnTimeout, NodeTimeout: cfg.NodeTimeout, HTTPTimeout: cfg.HTTPTimeout,
			LineLimit: cfg.NetworkChunkSize, Log: e.log,
			Open: func(ctx context.Context, p messages.Partition) (ssync.Objects, error) {
				objects, err := disks.OpenObjects(ctx, p, paths)
				if err != nil {
					return nil, err
				}
				return objects, nil
			},
		})
	}
	t, err := rsync.New(rsync.Config{
		Devices: cfg.Devices, Module: cfg.Rsync.Module, IOTimeout: cfg.Rsync.IOTimeout, BWLimit: cfg.Rsync.BWLimit,
		Timeout: cfg.Rsync.Timeout, Compress: cfg.Rsync.Compress, LogTransfers: cfg.Rsync.LogTransfers,
		ErrorLogLineLength: cfg.Rsync.ErrorLogLineLength, NamesAreProof: cfg.HandoffProof == "names",
		Suffixes: disks.SuffixDirs, Peers: peers, Log: e.log,
	})
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, t.Close)
	return t, nil
}

// metrics sends statistics to a statsd server, if one is configured.
func (e *Engine) metrics(cfg *config.Config) actors.Metrics {
	if cfg.Statsd.Host == "" || !cfg.Statsd.EmitLegacy {
		return statsd.None{}
	}
	c := statsd.New(statsd.Config{
		Host: cfg.Statsd.Host, Port: cfg.Statsd.Port, BasePrefix: cfg.Statsd.MetricPrefix, TailPrefix: cfg.Log.Name,
		DefaultRate: cfg.Statsd.DefaultRate, RateFactor: cfg.Statsd.RateFactor, Log: e.log,
	})
	e.closers = append(e.closers, c.Close)
	return c
}

// handoffDelete is the option of that name, or 0 where it would have no effect.
// Swift: obj/replicator.py ObjectReplicator.__init__.
func handoffDelete(cfg *config.Config, view *messages.View, log zerolog.Logger) int {
	if cfg.HandoffDelete == 0 {
		return 0
	}
	for _, p := range view.Policies {
		if p.Ring != nil && p.Ring.Replicas() > float64(cfg.HandoffDelete) {
			return cfg.HandoffDelete
		}
	}
	log.Warn().Bool("swift", true).Msgf("No storage policies found for which handoff_delete=%d would have an effect. Disabling.", cfg.HandoffDelete)
	return 0
}

// crew runs the actors and their errands.
func (e *Engine) crew() func(func()) {
	c := newCrew()
	e.closers = append(e.closers, c.Close)
	return c.Go
}
